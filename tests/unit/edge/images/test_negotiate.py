import pytest

from preamp.edge.images.negotiate import choose
from preamp.model.deploy_manifest import ImageFormat

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "wanted", "allowed", "source", "chosen"),
    [
        # What the client names goes before the parameter, and the site's order decides between equals.
        (CHROME, None, "avif webp", "jpeg", "avif"),
        (CHROME, None, "webp avif", "jpeg", "webp"),
        (CHROME, "png", "webp png", "jpeg", "webp"),
        ("image/png, image/webp, */*", None, "avif webp png jpeg", "jpeg", "webp"),
        ("image/webp;q=0.5, image/png", None, "webp png", "jpeg", "png"),
        ("IMAGE/WEBP", None, "webp", "jpeg", "webp"),
        # Where it names none that is allowed, the parameter counts, if the client takes it.
        ("*/*", "webp", "webp", "jpeg", "webp"),
        (None, "avif", "avif", "jpeg", "avif"),
        ("", "avif", "avif", "jpeg", "avif"),
        ("image/*;q=0", "avif", "avif", "jpeg", "jpeg"),
        ("image/avif;q=0, */*", "avif", "avif", "png", "png"),
        ("text/html", "webp", "webp", "jpeg", "jpeg"),
        # What is not allowed is not made; the image stays what it is.
        (CHROME, None, "", "jpeg", "jpeg"),
        ("*/*", "webp", "avif", "png", "png"),
        ("image/webp", None, "avif", "png", "png"),
        (None, None, "avif webp", "jpeg", "jpeg"),
        ("*/*", None, "avif", "webp", "webp"),
        # What cannot be read is taken for 1.
        ("image/webp;q=x, image/avif;q=7", None, "avif webp", "jpeg", "avif"),
        (",,;q=1,", None, "avif", "jpeg", "jpeg"),
        ("image/webp;q=nan", None, "webp", "jpeg", "webp"),
    ],
)
def test_formats(accept, wanted, allowed, source, chosen):
    def form(name):
        return ImageFormat(f"image/{name}")

    found = choose(
        accept,
        wanted=form(wanted) if wanted else None,
        allowed=tuple(map(form, allowed.split())),
        source=form(source),
    )
    assert found is form(chosen)
