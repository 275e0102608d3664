"""Labels of samples for printing: three in a row on A4, each with its number as text and as Code 128."""

from __future__ import annotations

from services.gateways.sample_labels import Label, render_labels
from services.usecases.sample_views import SampleBatchView


def labels_pdf(batch: SampleBatchView) -> bytes:
    """Return the labels of a test request that the caller has been shown."""
    count = len(batch.samples)
    return render_labels(
        [
            Label(each.number, each.name, each.material, f"{position}/{count}")
            for position, each in enumerate(batch.samples, start=1)
        ]
    )
