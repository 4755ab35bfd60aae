"""Pages of charts as one HTML file that needs nothing else: figures in inline SVG, a style, no script."""
