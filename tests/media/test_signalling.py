"""WHIP and WHEP over HTTP: every refusal says what, why and what to do."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from supervisor.media.errors import MediaError
from supervisor.media.fragment import MAX_FRAGMENT, parse_fragment
from supervisor.media.plane import PER_VEHICLE
from supervisor.media.pool import MediaConfig
from supervisor.media.sdp import MAX_SDP

pytestmark = [pytest.mark.integration]

OFFER = (Path(__file__).parents[1] / "packets" / "offer-chromium-publisher-h264.sdp").read_bytes()
WHIP = "/whip/maebashi/bus-01"
WHEP = "/whep/maebashi/bus-01"
RESTART = b"a=ice-ufrag:anew\r\na=ice-pwd:" + b"p" * 24 + b"\r\n"
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


def bearer(media):
    return {"Authorization": f"Bearer {media.TOKEN}"}


def problem(response):
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    assert document["title"]
    assert document["detail"].endswith(".")
    return document["reason"]


@pytest.mark.parametrize(
    ("path", "token", "status", "reason"),
    [
        (WHIP, "wrong", 401, "unauthorised"),
        ("/whip/maebashi/bus-02", None, 401, "unauthorised"),
        (WHEP, "wrong", 401, "unauthorised"),
        ("/whip/Maebashi/bus-01", None, 400, "bad_name"),
    ],
)
async def test_a_wrong_token_or_name_is_refused(door, media, path, token, status, reason):
    response = await door.post(path, OFFER, token=token or media.TOKEN)
    assert response.status_code == status
    assert problem(response) == reason
    assert (status != 401) or response.headers["www-authenticate"].startswith("Bearer")
    assert door.plane.sessions == {}


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"}]
)
async def test_a_missing_token_is_refused(door, headers):
    headers["Content-Type"] = "application/sdp"
    response = await door.client.post(WHIP, content=OFFER, headers=headers)
    assert response.status_code == 401


@pytest.mark.parametrize(
    ("offer", "status", "reason"),
    [
        (b"", 400, "bad_sdp"),
        (b"v=0\r\n", 400, "bad_sdp"),
        (OFFER.replace(b"a=fingerprint", b"a=nothing"), 400, "bad_sdp"),
        (OFFER.replace(b"sendonly", b"inactive"), 400, "bad_sdp"),
        (b"v=0" + bytes(MAX_SDP), 413, "oversize"),
    ],
)
async def test_a_broken_or_oversize_offer_is_refused(door, offer, status, reason):
    response = await door.post(WHIP, offer)
    assert response.status_code == status
    assert problem(response) == reason
    assert door.plane.counters.get("media_signalling_refused", reason) == 1


async def test_bad_camera_names_are_refused(door):
    for cameras in ("UPPER", "a,a" + ",b" * 20, "audio"):
        assert (await door.post(WHIP, OFFER, cameras=cameras)).status_code == 400


async def test_another_content_type_is_refused(door, media):
    response = await door.client.post(
        WHIP, content=OFFER, headers=bearer(media) | {"Content-Type": "text/plain"}
    )
    assert response.status_code == 415
    assert response.headers["accept-post"] == "application/sdp"


async def test_an_accepted_offer_gets_location_etag_and_answer(hub):
    response = await hub.post(WHIP, OFFER)
    assert response.status_code == 201
    assert response.headers["content-type"].startswith("application/sdp")
    assert response.headers["location"].startswith(WHIP + "/")
    assert len(response.headers["location"].rpartition("/")[2]) >= 32
    assert response.headers["etag"].startswith('"')
    assert response.text.startswith("v=0\r\n")


async def test_two_offers_may_be_half_open_and_a_third_ends_the_first(hub):
    await hub.post(WHIP, OFFER)
    first = set(hub.plane.sessions)
    await hub.post(WHIP, OFFER)
    assert len(hub.plane.sessions) == 2
    await hub.post(WHIP, OFFER)
    assert len(hub.plane.sessions) == 2
    assert not first & set(hub.plane.sessions)


async def test_nobody_is_watched_who_does_not_publish(hub):
    await hub.post(WHIP, OFFER)
    response = await hub.post(WHEP, OFFER)
    assert response.status_code == 404
    assert problem(response) == "not_publishing"
    assert response.headers["retry-after"] == "1"


async def test_trickle_needs_the_present_etag_and_changes_nothing(hub, media):
    opened = await hub.post(WHIP, OFFER)
    location, etag = opened.headers["location"], opened.headers["etag"]
    candidate = b"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"

    async def patch(tag, content=candidate, kind=FRAGMENT):
        headers = bearer(media) | kind | ({"If-Match": tag} if tag else {})
        return await hub.client.patch(location, content=content, headers=headers)

    assert (await patch(etag)).status_code == 204
    assert (await patch(f'"other", {etag}')).status_code == 204
    missing, other = await patch(""), await patch('"other"')
    assert (missing.status_code, problem(missing)) == (428, "no_if_match")
    assert (other.status_code, problem(other)) == (412, "other_etag")
    large = await patch(etag, bytes(MAX_FRAGMENT + 1))
    assert large.status_code == 413
    assert (await patch(etag, kind={})).status_code == 415
    broken = await patch(etag, b"a=ice-ufrag:!\r\n")
    assert (broken.status_code, problem(broken)) == (400, "bad_fragment")
    assert (await patch(etag, RESTART)).status_code == 400, "a restart asks for any session"


async def test_an_ice_restart_gets_new_credentials_and_a_new_etag(hub, media):
    opened = await hub.post(WHIP, OFFER)
    location, etag = opened.headers["location"], opened.headers["etag"]
    headers = bearer(media) | FRAGMENT | {"If-Match": "*"}
    restarted = await hub.client.patch(location, content=RESTART, headers=headers)
    assert restarted.status_code == 200
    assert restarted.headers["content-type"].startswith(FRAGMENT["Content-Type"])
    assert restarted.headers["etag"] != etag
    fresh = parse_fragment(restarted.content)
    assert fresh.ufrag not in opened.text
    assert len(fresh.password) >= 22
    assert f"a=mid:{opened.text.partition('a=mid:')[2].splitlines()[0]}" in restarted.text
    assert f" {hub.plane.worker_stats()[0].udp_port} typ host" in restarted.text
    stale = await hub.client.patch(
        location, content=b"a=end-of-candidates", headers=headers | {"If-Match": etag}
    )
    assert stale.status_code == 412
    again = await hub.client.patch(location, content=RESTART, headers=headers)
    assert again.status_code == 204, "the same credentials are no second restart"
    assert len(hub.plane.sessions) == 1


async def test_who_dials_too_often_is_told_when_to_come_again(door, media):
    answers = [await door.post(WHIP, b"v=0") for _ in range(PER_VEHICLE[1] + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {400}
    assert answers[-1].status_code == 429
    assert problem(answers[-1]) == "too_often"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await door.post(WHEP, b"v=0")).status_code == 400, "watchers are counted apart"


async def test_a_stranger_cannot_use_up_what_a_vehicle_may_ask(door, media):
    for _ in range(PER_VEHICLE[1] + 5):
        assert (await door.post(WHIP, OFFER, token="wrong")).status_code == 401
    assert (await door.post(WHIP, b"v=0")).status_code == 400


async def test_a_session_is_ended_only_by_its_own_kind_and_vehicle(hub, media):
    location = (await hub.post(WHIP, OFFER)).headers["location"]
    session = location.rpartition("/")[2]
    assert (await hub.client.delete(location)).status_code == 401
    for path in (WHEP, WHIP + "x"):
        response = await hub.client.delete(f"{path}/{session}", headers=bearer(media))
        assert response.status_code in (401, 404)
    assert session in hub.plane.sessions
    assert (await hub.client.delete(location, headers=bearer(media))).status_code == 200
    assert hub.plane.sessions == {}


async def test_options_say_what_is_possible(door):
    response = await door.client.options(WHIP)
    assert response.status_code == 204
    assert response.headers["accept-post"] == "application/sdp"
    response = await door.client.options(WHIP + "/session")
    assert "DELETE" in response.headers["allow"]
    assert (await door.client.get(WHIP)).status_code == 405


async def test_no_more_sessions_than_configured(media):
    async with media.running_hub(MediaConfig(max_sessions=0)) as hub:
        response = await hub.post(WHIP, OFFER)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"


async def test_without_a_worker_the_answer_is_to_come_again(door):
    response = await door.post(WHIP, OFFER)
    assert response.status_code == 503
    assert problem(response) == "unavailable"
    assert response.headers["retry-after"] == "1"


async def test_a_taken_port_is_said_in_plain_words(media):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(MediaError, match=rf"UDP 127.0.0.1:{port}.*Set media.udp_port"):
            async with media.running_hub(MediaConfig(udp_port=port)):
                pass


async def test_listening_everywhere_needs_an_address_to_announce(media):
    with pytest.raises(MediaError, match=r"Set media\.announce"):
        async with media.running_hub(MediaConfig(listen="0.0.0.0")):
            pass


async def test_two_workers_have_a_port_each_and_share_the_vehicles(media):
    async with media.running_hub(MediaConfig(workers=2)) as hub:
        await media.until(
            lambda: all(worker.ready for worker in hub.plane.worker_stats()), "both workers"
        )
        first, second = hub.plane.worker_stats()
        assert first.udp_port != second.udp_port
        await hub.post(WHIP, OFFER)
        assert [link.sessions for link in hub.plane.pool.links] == [1, 0]
