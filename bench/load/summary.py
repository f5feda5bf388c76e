"""Medians, spreads and ratios of what run.sh measured. Usage: summary.py DIRECTORY."""

import json
import pathlib
import statistics
import sys


def documents(path):
    """The JSON objects that stand one after another in a file."""
    text, decoder, position = path.read_text(), json.JSONDecoder(), 0
    while position < len(text):
        while position < len(text) and text[position].isspace():
            position += 1
        if position < len(text):
            document, position = decoder.raw_decode(text, position)
            yield document


def main(directory):
    print(f"{'what':<14}{'size':>6}{'runs':>6}{'median rec/s':>15}{'min':>13}{'max':>13}{'MB/s':>9}{'of ceiling':>12}")
    for size in (100, 1024):
        ceilings = None
        for what in ("ceiling", "produce", "consume"):
            runs = list(documents(directory / f"{what}-{size}.json"))
            rates = [run["records_per_second"] for run in runs]
            ceilings = ceilings or rates
            # A machine's moods change between rounds: the ratio is taken within each round.
            ratio = statistics.median(rate / ceiling for rate, ceiling in zip(rates, ceilings))
            median = statistics.median(rates)
            print(
                f"{what:<14}{size:>6}{len(rates):>6}{median:>15,.0f}{min(rates):>13,.0f}{max(rates):>13,.0f}"
                f"{median * size / 1e6:>9,.0f}{ratio:>12.2f}"
            )
    for run in documents(directory / "latency.json"):
        print(json.dumps(run))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
