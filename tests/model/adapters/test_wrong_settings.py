"""What is wrong in an adapter's settings is refused by name, before anything heavy is imported."""

import json
import subprocess
import sys
from collections.abc import Mapping

from freshtune.model.adapters import ADAPTERS

WRONG: Mapping[str, str] = {
    "{name='top_layers', k=0}": "k = 0 is too small",
    "{name='bias_only', k=0}": "k = 0 is too small",
    "{name='lora', rank=0}": "rank = 0 is too small",
    "{name='lora', rank=-3}": "rank = -3 is too small",
    "{name='lora', k=0}": "k = 0 is too small",
    "{name='lora', alpha=0}": "alpha",
    "{name='lora', alpha=inf}": "alpha",
    "{name='lora', dropout=1}": "dropout",
    "{name='lora', linears=['qvk']}": "Did you mean 'qkv'?",
    "{name='lora', linears=['inner_inn']}": "Did you mean 'inner_in'?",
    "{name='lora', linears=['query']}": "A layer has qkv, attention_out, inner_in, inner_out.",
    "{name='lora', linears=[]}": "names none",
    "{name='lora', linears=['qkv', 'qkv']}": "one twice",
    "{name='lora', ranks=8}": "Did you mean 'rank'?",
    "{name='lora', r=8}": "learn.adapter.r",
    "{name='lorra'}": "Did you mean 'lora'?",
    "{name='adalora', target_rank=0}": "target_rank = 0 is too small",
    "{name='adalora', rank=0}": "rank = 0 is less than",
    "{name='adalora', rank=2, target_rank=3}": "Set rank to 3 or more.",
    "{name='adalora', k=0}": "k = 0 is too small",
    "{name='adalora', linears=['attention']}": "Did you mean 'attention_out'?",
    "{name='ia3', k=0}": "k = 0 is too small",
    "{name='bottleneck', size=0}": "size = 0 is too small",
    "{name='bottleneck', k=0}": "k = 0 is too small",
    "{name='prefix', length=0}": "length = 0 is too small",
    "{name='prefix', k=0}": "k = 0 is too small",
    "{name='trainable_tokens', rows=[-1]}": "rows",
    "{name='trainable_tokens', rows=[5, 5]}": "one twice",
    "{name='trainable_tokens', row=[5]}": "Did you mean 'rows'?",
}


def test_wrong_settings_are_refused_with_the_mend_before_torch_is_imported() -> None:
    program = """
import json, sys, tomllib
from freshtune.errors import ConfigurationError
from freshtune.settings import settings_of
said = {}
for table in json.loads(sys.argv[1]):
    adapter = tomllib.loads(f"adapter = {table}")["adapter"]
    try:
        settings_of({"tasks": {"sentiment": {}}, "learn": {"adapter": adapter}})
    except ConfigurationError as error:
        said[table] = str(error)
assert not {"torch", "peft", "transformers"} & set(sys.modules)
print(json.dumps(said))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(list(WRONG))], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    assert {table: words for table, words in WRONG.items() if words not in said.get(table, "")} == {}
    assert {name for name in ADAPTERS if f"name='{name}'" in str(list(WRONG))} >= set(ADAPTERS) - {"full", "head_only"}
