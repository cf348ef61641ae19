"""Every parameter, by what it does to the pixels."""

from __future__ import annotations

import pytest

from tests.support.images import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WHITE,
    jpeg,
    photo,
    plain,
    png,
    quarters,
    running_optimiser,
)


@pytest.fixture(scope="module")
def optimiser(tmp_path_factory):
    with running_optimiser(tmp_path_factory.mktemp("pixels")) as running:
        yield running


@pytest.fixture(scope="module")
def source():
    return png(quarters())


def corners(image):
    """Clockwise from the upper left."""
    right, bottom = image.width - 2, image.height - 2
    places = [(1, 1), (right, 1), (right, bottom), (1, bottom)]
    return [tuple(map(round, image.getpoint(*place))) for place in places]


def size(image):
    return image.width, image.height


def near(found, expected, *, by=3):
    return all(abs(one - other) <= by for one, other in zip(found, expected, strict=True))


def test_width_keeps_the_proportions(optimiser, source):
    made = optimiser.picture(source, "width=100")
    assert size(made) == (100, 50)
    assert corners(made) == [RED, GREEN, WHITE, BLUE]


def test_nothing_is_enlarged(optimiser, source):
    assert size(optimiser.picture(source, "width=640")) == (400, 200)


@pytest.mark.parametrize(
    ("query", "expected", "colours"),
    [
        ("fit=cover", (100, 100), [RED, GREEN, WHITE, BLUE]),
        ("fit=cover&position=left", (100, 100), [RED, None, None, BLUE]),
        ("fit=contain", (100, 100), [BLACK] * 4),
        ("fit=contain&position=top", (100, 100), [RED, GREEN, BLACK, BLACK]),
        ("fit=contain&position=bottom", (100, 100), [BLACK, BLACK, WHITE, BLUE]),
        ("fit=fill", (100, 100), [RED, GREEN, WHITE, BLUE]),
        ("fit=inside", (100, 50), [RED, GREEN, WHITE, BLUE]),
        ("fit=outside", (200, 100), [RED, GREEN, WHITE, BLUE]),
    ],
)
def test_height_fit_and_position(optimiser, source, query, expected, colours):
    made = optimiser.picture(source, f"width=100&height=100&{query}")
    assert size(made) == expected
    for found, colour in zip(corners(made), colours, strict=True):
        assert colour is None or found == colour


def test_position_says_which_part_is_kept(optimiser):
    wide = plain(100, 100, *RED).join(plain(200, 100, *GREEN), "horizontal")
    wide = png(wide.join(plain(100, 100, *BLUE), "horizontal"))
    for position, colour in (("left", RED), ("center", GREEN), ("right", BLUE)):
        made = optimiser.picture(wide, f"width=50&height=50&position={position}")
        assert corners(made)[0] == colour, position
        assert size(made) == (50, 50)


@pytest.mark.parametrize("alpha", [False, True])
def test_trim_cuts_what_is_like_the_first_pixel(optimiser, alpha):
    inner = plain(100, 50, *RED, *([255] if alpha else []))
    border = [255, 255, 255, 0] if alpha else [250, 250, 250]
    framed = png(inner.embed(30, 40, 200, 200, extend="background", background=border))
    assert size(optimiser.picture(framed, "width=400")) == (200, 200)
    made = optimiser.picture(framed, "width=400&trim=10")
    assert size(made) == (100, 50)
    assert corners(made)[0][:3] == RED


def test_trim_of_a_single_colour_changes_nothing(optimiser):
    assert size(optimiser.picture(png(plain(50, 20, *RED)), "width=400&trim")) == (50, 20)
    assert size(optimiser.picture(png(plain(2, 1, *RED)), "width=400&trim")) == (2, 1)


def test_trim_has_a_threshold(optimiser):
    framed = png(
        plain(100, 100, 110, 110, 110).embed(50, 50, 200, 200, extend="background", background=[90] * 3)
    )
    assert size(optimiser.picture(framed, "width=400&trim=10")) == (100, 100)
    assert size(optimiser.picture(framed, "width=400&trim=60")) == (200, 200)


def test_extend_repeats_the_edge(optimiser, source):
    made = optimiser.picture(source, "width=100&extend=1_2_3_4")
    assert size(made) == (100 + 2 + 4, 50 + 1 + 3)
    assert corners(made) == [RED, GREEN, WHITE, BLUE]
    assert tuple(made.getpoint(3, 0)) == RED


def test_extract_cuts_before_the_size_counts(optimiser, source):
    made = optimiser.picture(source, "width=50&extract=200_100_200_100")
    assert size(made) == (50, 25)
    assert corners(made) == [WHITE] * 4


def test_extract_has_to_be_inside(optimiser, source):
    optimiser.files["/source"] = source
    answer = optimiser.ask("url=/source&width=50&extract=300_0_101_10")
    assert (answer.status, answer.body) == (
        400,
        b"extract leads out of the source, which has 400x200 pixels\n",
    )


@pytest.mark.parametrize(
    ("degrees", "colours"),
    [
        (90, [BLUE, RED, GREEN, WHITE]),
        (180, [WHITE, BLUE, RED, GREEN]),
        (270, [GREEN, WHITE, BLUE, RED]),
        (-90, [GREEN, WHITE, BLUE, RED]),
    ],
)
def test_rotate_by_right_angles(optimiser, source, degrees, colours):
    made = optimiser.picture(source, f"width=100&rotate={degrees}")
    assert size(made) == ((100, 50) if degrees == 180 else (100, 200))
    assert corners(made) == colours


def test_rotate_by_other_angles_makes_black_corners(optimiser):
    made = optimiser.picture(png(plain(100, 100, *RED)), "width=400&rotate=45")
    assert abs(made.width - 141) <= 2
    assert corners(made) == [BLACK] * 4
    assert near(made.getpoint(70, 70), RED)


def test_flip_and_flop(optimiser, source):
    assert corners(optimiser.picture(source, "width=100&flip")) == [BLUE, WHITE, GREEN, RED]
    assert corners(optimiser.picture(source, "width=100&flop=true")) == [GREEN, RED, BLUE, WHITE]
    both = optimiser.picture(source, "width=100&flip=1&flop=1")
    assert corners(both) == [WHITE, BLUE, RED, GREEN]


def test_sharpen_makes_edges_harder(optimiser):
    soft = png(plain(50, 50, 80, 80, 80).join(plain(50, 50, 170, 170, 170), "horizontal").gaussblur(2))

    def steepest(query):
        made = optimiser.picture(soft, f"width=100&{query}")[0]
        return (made.crop(1, 0, 98, 50).cast("int") - made.crop(0, 0, 98, 50)).max()

    assert steepest("sharpen=3") > steepest("") * 1.3


def test_median_removes_single_pixels(optimiser):
    dotted = png(plain(100, 100, *WHITE).draw_rect(list(BLACK), 50, 50, 1, 1, fill=True))
    assert tuple(optimiser.picture(dotted, "width=100").getpoint(50, 50)) == BLACK
    assert tuple(optimiser.picture(dotted, "width=100&median=3").getpoint(50, 50)) == WHITE
    assert tuple(optimiser.picture(dotted, "width=100&median=25").getpoint(50, 50)) == WHITE


@pytest.mark.parametrize("sigma", ["0.5", "3", "30", "1000"])
def test_blur_evens_out(optimiser, sigma):
    stripes = plain(1, 100, *WHITE).join(plain(1, 100, *BLACK), "horizontal").replicate(50, 1)
    before = optimiser.picture(png(stripes), "width=100").deviate()
    after = optimiser.picture(png(stripes), f"width=100&blur={sigma}").deviate()
    assert after < before * (0.75 if sigma == "0.5" else 0.15)  # the edges are repeated


def test_a_wide_blur_is_the_same_blur(optimiser):
    """Made on a smaller image it has to give what the plain way gives."""
    spot = plain(400, 400, *BLACK).draw_rect(list(WHITE), 150, 150, 100, 100, fill=True)
    made = optimiser.picture(png(spot), "width=400&blur=40")
    assert (made - spot.gaussblur(40, min_ampl=0.02)).abs().max() <= 6


def test_blur_does_not_let_the_colour_of_transparent_pixels_out(optimiser):
    image = plain(50, 100, *RED, 255).join(plain(50, 100, *GREEN, 0), "horizontal")
    made = optimiser.picture(png(image), "width=100&blur=5")
    red, green, _, alpha = made.getpoint(52, 50)
    assert 60 < alpha < 200
    assert red > 250
    assert green < 5


def test_gamma_counts_light_when_pixels_are_averaged(optimiser):
    fine = plain(1, 1, *WHITE).join(plain(1, 1, *BLACK), "horizontal")
    fine = fine.join(fine.fliphor(), "vertical").replicate(100, 100)
    assert near(optimiser.picture(png(fine), "width=50").getpoint(25, 25), (127,) * 3, by=4)
    assert near(optimiser.picture(png(fine), "width=50&gamma=2.2").getpoint(25, 25), (186,) * 3, by=4)
    flat = optimiser.picture(png(plain(100, 100, 100, 150, 200)), "width=50&gamma=2.2")
    assert near(flat.getpoint(25, 25), (100, 150, 200), by=4)


def test_negate(optimiser):
    made = optimiser.picture(png(plain(50, 50, 10, 100, 250)), "width=50&negate")
    assert tuple(made.getpoint(5, 5)) == (245, 155, 5)
    clear = optimiser.picture(png(plain(50, 50, 10, 100, 250, 200)), "width=50&negate")
    assert tuple(clear.getpoint(5, 5)) == (245, 155, 5, 200)


def test_normalize_uses_the_whole_range(optimiser):
    dull = png(plain(50, 50, 100, 100, 100).join(plain(50, 50, 150, 150, 150), "horizontal"))
    made = optimiser.picture(dull, "width=100&normalize")
    assert near(made.getpoint(5, 5), BLACK, by=6)
    assert near(made.getpoint(95, 5), WHITE, by=6)
    flat = optimiser.picture(png(plain(50, 50, 100, 100, 100)), "width=50&normalize")
    assert near(flat.getpoint(5, 5), (100,) * 3)


def test_threshold(optimiser):
    greys = png(plain(50, 50, 100, 100, 100).join(plain(50, 50, 150, 150, 150), "horizontal"))
    for level, left, right in ((0, 255, 255), (100, 255, 255), (101, 0, 255), (151, 0, 0)):
        made = optimiser.picture(greys, f"width=100&threshold={level}")
        assert set(made.getpoint(5, 5)) == {left}, level
        assert set(made.getpoint(95, 5)) == {right}, level


def test_tint_colours_what_is_between_black_and_white(optimiser):
    greys = plain(30, 30, *BLACK).join(plain(30, 30, 120, 120, 120), "horizontal")
    greys = png(greys.join(plain(30, 30, *WHITE), "horizontal"))
    made = optimiser.picture(greys, "width=100&tint=%23ff0000")
    assert near(made.getpoint(5, 5), BLACK, by=4)
    assert near(made.getpoint(85, 5), WHITE, by=4)
    red, green, blue = made.getpoint(45, 5)
    assert red > green + 60
    assert red > blue + 60


def test_grayscale(optimiser, source):
    made = optimiser.picture(source, "width=100&grayscale")
    assert made.bands == 1
    assert made(75, 40)[0] == 255
    assert 30 < made(5, 5)[0] < 200
    as_webp = optimiser.picture(source, "width=100&grayscale&format=webp")
    red, green, blue = as_webp.getpoint(5, 5)
    assert abs(red - green) <= 2
    assert abs(red - blue) <= 2


@pytest.mark.parametrize("form", ["avif", "webp", "png", "jpeg"])
def test_format_and_quality(optimiser, form):
    source = png(photo(600, 400)) if form != "png" else jpeg(photo(600, 400))
    optimiser.files["/photo"] = source
    answers = [optimiser.ask(f"url=/photo&width=300&format={form}&quality={quality}") for quality in (10, 95)]
    assert [answer.headers["Content-Type"] for answer in answers] == [f"image/{form}"] * 2
    low, high = (len(answer.body) for answer in answers)
    assert low == high if form == "png" else low < high * 0.6
    made = optimiser.picture(source, f"width=300&format={form}")
    loader = {"avif": "heif"}.get(form, form)
    assert made.get("vips-loader").startswith(loader)
    assert size(made) == (300, 200)
    expected = photo(600, 400).resize(0.5)
    assert (made[:3] - expected).abs().avg() < 6


def test_quality_counts_only_where_the_format_changes(optimiser):
    optimiser.files["/photo.jpg"] = jpeg(photo(600, 400))
    low, high = (optimiser.ask(f"url=/photo.jpg&width=300&quality={q}").body for q in (10, 95))
    assert low == high


def test_transparency_survives_where_the_format_has_it(optimiser):
    clear = png(plain(100, 100, *RED, 128))
    for form in ("png", "webp", "avif"):
        found = optimiser.picture(clear, f"width=50&format={form}").getpoint(20, 20)
        assert near(found, (*RED, 128), by=6), form
    assert near(optimiser.picture(clear, "width=50&format=jpeg").getpoint(20, 20), (128, 0, 0), by=4)


def test_photos_stand_upright_and_lose_what_the_camera_wrote(optimiser):
    tagged = quarters().copy()
    tagged.set_type(pytest.importorskip("pyvips").GValue.gint_type, "orientation", 6)
    source = jpeg(tagged, Q=95)
    assert b"Exif" in source
    for query in ("width=100", "width=100&extract=0_0_200_400"):
        optimiser.files["/tagged"] = source
        answer = optimiser.ask(f"url=/tagged&{query}")
        assert b"Exif" not in answer.body
        made = optimiser.picture(source, query)
        assert size(made) == (100, 200)
        for found, colour in zip(corners(made), [BLUE, RED, GREEN, WHITE], strict=True):
            assert near(found, colour, by=12)


def test_other_colour_spaces_come_out_as_srgb(optimiser):
    grey = optimiser.picture(png(plain(100, 100, 77)), "width=50")
    assert (grey.bands, grey(5, 5)[0]) == (1, 77)
    deep = quarters().colourspace("rgb16").pngsave_buffer()
    assert corners(optimiser.picture(deep, "width=100")) == [RED, GREEN, WHITE, BLUE]
    printed = quarters().icc_export(output_profile="cmyk").jpegsave_buffer(Q=95)
    for query in ("width=100", "width=100&rotate=180"):
        made = optimiser.picture(printed, query)
        assert (made.bands, made.interpretation) == (3, "srgb")
        assert near(corners(made)[2 if query == "width=100" else 0], WHITE, by=8)


def test_parameters_together(optimiser, source):
    every = (
        "width=200&height=100&fit=cover&position=top&trim=1&extract=10_10_300_150&rotate=30&flip&flop"
        "&extend=5_5_5_5&sharpen=1&median=3&blur=1&gamma=1.5&negate&normalize&threshold=100&tint=7743ce"
        "&grayscale&format=webp&quality=50"
    )
    assert size(optimiser.picture(source, every)) == (210, 110)
