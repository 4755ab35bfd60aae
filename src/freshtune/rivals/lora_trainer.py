"""``transformers`` Trainer and ``peft`` LoRA, with the settings of their own introduction."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freshtune.errors import ConfigurationError
from freshtune.learn.batches import length_batches, padded
from freshtune.model.bundled import default_cache
from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.records import Example
from freshtune.rivals.of_classes import classes_alone

if TYPE_CHECKING:
    import torch

    from freshtune.rivals import Setting

_RANK, _ALPHA, _DROPOUT = 8, 32, 0.1
_RATE, _BATCH, _EPOCHS = 1e-3, 32, 2
_TOKENS = 4_096
_BYTES = 4


class LoraTrainer:
    """A sequence classifier whose adapters and head go on learning from each increment. A Predictor too."""

    def __init__(self, setting: "Setting") -> None:
        self._head = classes_alone("lora-trainer", setting.task, setting.head)
        try:
            import peft
            import transformers
        except ImportError as error:
            raise ConfigurationError(
                "The strategy lora-trainer cannot be played.", str(error), "pip install 'freshtune[rivals]'"
            ) from None
        import torch

        from freshtune.model.backbone import backbone_folder, open_backbone

        transformers.set_seed(setting.seed)
        self._setting = setting
        _, self._tokens = open_backbone(setting.backbone, None, self._head.outputs, setting.max_tokens)
        whole = transformers.AutoModelForSequenceClassification.from_pretrained(
            backbone_folder(setting.backbone, default_cache()),
            num_labels=self._head.outputs,
            dtype=torch.float32,
            local_files_only=True,
        )
        lora = peft.LoraConfig(task_type=peft.TaskType.SEQ_CLS, r=_RANK, lora_alpha=_ALPHA, lora_dropout=_DROPOUT)
        self._model: Any = peft.get_peft_model(whole, lora)
        self._parts = 0

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._learn(history)

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._learn(new)

    @property
    def predictor(self) -> "LoraTrainer":
        return self

    @property
    def head(self) -> Head:
        return self._head

    @property
    def trained_parameters(self) -> int:
        return sum(weight.numel() for weight in self._model.parameters() if weight.requires_grad)

    @property
    def update_bytes(self) -> int:
        return _BYTES * self.trained_parameters

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        """Logits ``[n, outputs]``."""
        import torch

        ids = self._tokens.encode(inputs)
        told = np.zeros((len(ids), self._head.outputs), np.float32)
        self._model.eval()
        with torch.inference_mode():
            for rows in length_batches([len(row) for row in ids], _TOKENS):
                block, mask = padded([ids[row] for row in rows])
                told[rows] = self._model(input_ids=block, attention_mask=mask).logits.numpy()
        return told

    def _learn(self, examples: Sequence[Example]) -> None:
        from transformers import Trainer, TrainingArguments

        ids = self._tokens.encode([Input(row.text, row.pair) for row in examples])
        rows = [
            {"input_ids": each, "labels": int(self._head.number(row.label))}
            for each, row in zip(ids, examples, strict=True)
            if row.label is not None
        ]
        self._parts += 1
        arguments = TrainingArguments(
            output_dir=str(self._setting.folder / f"part-{self._parts}"),
            learning_rate=_RATE,
            per_device_train_batch_size=_BATCH,
            num_train_epochs=_EPOCHS,
            weight_decay=0.01,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=True,
            seed=self._setting.seed,
        )
        Trainer(model=self._model, args=arguments, train_dataset=rows, data_collator=_together).train()


def _together(rows: Sequence[Mapping[str, Any]]) -> "dict[str, torch.Tensor]":
    """One batch, padded to its longest text."""
    import torch

    block, mask = padded([row["input_ids"] for row in rows])
    return {"input_ids": block, "attention_mask": mask, "labels": torch.tensor([row["labels"] for row in rows])}
