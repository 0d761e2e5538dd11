"""The style of all plots: a white page, few lines, and colours that colour-blind people can tell.

The colours are those of Okabe and Ito. The settings are matplotlib's rcParams; this module does
not import matplotlib.
"""

from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BLUE, ORANGE, *_ = COLOURS
INK, GREY, LIGHT = "#333333", "#6B6B6B", "#E6E6E6"
DASHES = ("-", "--", ":", "-.")
MARKERS = "osD^vPX"
WIDTH = 8.2
"""The width of a figure in inches, which is 902 pixels."""

CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei")
"""Chinese fonts for the names of classes and columns, used if they are installed."""

STYLE: dict[Any, Any] = {
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "figure.facecolor": "white",
    "font.size": 11,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$5"
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "legend.markerscale": 1.3,
    "lines.linewidth": 2,
}
