"""The vector-set autoencoder, its losses, and the flow transformer, against direct formulas and symmetries."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from versemill.generation.shapes import losses as losses
from versemill.generation.shapes.flow import ShapeFlow, at_places
from versemill.generation.shapes.vae import Posterior, ShapeVae, farthest_points
from versemill.generation.transformer import Attention, Experts, FeedForward, PlacedAttention, attention, balance_loss, fourier

VAE = SimpleNamespace(
    width=32, heads=4, channels=6, encoder_layers=1, decoder_layers=2, octaves=4, anchored=True, latent_noise=0.3
)
FLOW = SimpleNamespace(
    width=32, heads=4, pairs=2, skips=True, moe_blocks=0, experts=4, feed=4, aligned=False, fill=0.9, order="none", tokens=5
)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def awake(network):
    """The network with every zeroed layer drawn, so that each part of it has a say."""
    for p in network.parameters():
        if not p.any():
            nn.init.normal_(p, std=0.2)
    return network


def test_distance_loss_is_l1_plus_l2():
    field, target = torch.randn(3, 50), torch.randn(3, 50)
    e = field - target
    torch.testing.assert_close(losses.distance_loss(field, target), e.abs().mean() + (e**2).mean())


def test_target_is_clipped_and_keeps_its_sign():
    sdf = torch.tensor([-0.5, -0.01, 0.0, 0.015, 0.4])
    torch.testing.assert_close(losses.truncated(sdf, 0.02), torch.tensor([-1.0, -0.5, 0.0, 0.75, 1.0]))


def test_occupancy_loss_is_cross_entropy_of_inside():
    field, sdf = torch.randn(200), torch.randn(200)
    p = torch.sigmoid(-field)  # of being inside
    expected = -torch.where(sdf < 0, p.log(), (1 - p).log()).mean()
    torch.testing.assert_close(losses.occupancy_loss(field, sdf), expected)


def test_normal_loss_ignores_the_slope_and_knows_the_angle():
    normals = torch.nn.functional.normalize(torch.randn(100, 3), dim=-1)
    assert losses.normal_loss(37 * normals, normals) == pytest.approx(0, abs=1e-6)
    assert losses.normal_loss(-normals, normals) == pytest.approx(2)
    gradient = torch.randn(100, 3)
    cosine = (gradient * normals).sum(-1) / gradient.norm(dim=-1)
    torch.testing.assert_close(losses.normal_loss(gradient, normals), (1 - cosine).mean())


def test_eikonal_loss_wants_slope_one_over_tau_inside_the_band_only():
    tau = 0.02
    direction = torch.nn.functional.normalize(torch.randn(4, 3), dim=-1)
    sdf = torch.tensor([0.0, -0.019, 0.021, 0.5])
    slopes = torch.tensor([1.0, 3.0, 100.0, 0.0]) / tau
    # The first is right, the second (3 - 1)^2 off, the others lie outside.
    assert losses.eikonal_loss(direction * slopes[:, None], sdf, tau) == pytest.approx(2.0, rel=1e-4)
    assert losses.eikonal_loss(direction, sdf + 1, tau) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tracked", [False, True])
def test_attention_and_its_gradients_are_the_formulas(dtype, tracked):
    queries, keys, values = (torch.randn(2, 3, n, 8).to(dtype).requires_grad_(tracked) for n in (5, 7, 7))
    q, k, v = (x.detach().double().requires_grad_(tracked) for x in (queries, keys, values))
    answer, expected = attention(queries, keys, values), (q @ k.mT / 8**0.5).softmax(-1) @ v
    close = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 2e-2, "rtol": 2e-2}
    torch.testing.assert_close(answer.double(), expected, **close)
    if tracked:
        weights = torch.randn(answer.shape).double()
        (answer.double() * weights).sum().backward()
        (expected * weights).sum().backward()
        for mine, true in ((queries, q), (keys, k), (values, v)):
            torch.testing.assert_close(mine.grad.double(), true.grad, atol=4 * close["atol"], rtol=close["rtol"])


def test_kl_is_the_mean_over_tokens_and_channels_of_torchs_own():
    mean, log_variance = torch.randn(2, 5, 6), torch.randn(2, 5, 6)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, (0.5 * log_variance).exp()), normal(0.0, 1.0)).mean()
    torch.testing.assert_close(losses.kl_loss(mean, log_variance), expected)
    noise = torch.randn(2, 5, 6)
    torch.testing.assert_close(Posterior(mean, log_variance).sample(noise), mean + log_variance.exp().sqrt() * noise)


def test_slope_is_the_fields_gradient_and_can_be_trained():
    vae = awake(ShapeVae(VAE)).double()
    field = vae.decode(torch.randn(1, 8, 6).double(), torch.zeros(1).double())
    points = torch.rand(1, 5, 3).double().requires_grad_()
    with sdpa_kernel(SDPBackend.MATH):
        gradient = losses.slope(field(points).double(), points)
        gradient.square().sum().backward()
    assert vae.query_in.weight.grad.abs().sum() > 0
    h = 1e-4
    with torch.no_grad():
        for axis in range(3):
            step = h * torch.eye(3).double()[axis]
            difference = (field(points + step) - field(points - step)).double() / (2 * h)
            torch.testing.assert_close(difference, gradient[..., axis], atol=2e-2, rtol=2e-2)


def test_vae_knows_no_order_of_points_and_tokens():
    vae = awake(ShapeVae(VAE))
    surface = torch.randn(2, 40, 6)
    chosen = torch.stack([torch.randperm(40)[:8] for _ in range(2)])
    mean = vae.encode(surface, chosen).mean
    shuffle, turn = torch.randperm(40), torch.randperm(8)
    back = shuffle.argsort()
    torch.testing.assert_close(vae.encode(surface[:, shuffle], back[chosen][:, turn]).mean, mean[:, turn])
    points, exact = torch.rand(2, 11, 3), torch.zeros(2)
    torch.testing.assert_close(vae.decode(mean[:, turn], exact)(points), vae.decode(mean, exact)(points), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("anchored", [True, False])
def test_anchored_latents_lie_where_their_points_do(anchored):
    vae = ShapeVae(SimpleNamespace(**{**vars(VAE), "anchored": anchored}))
    surface = torch.rand(1, 40, 6)
    chosen = farthest_points(surface[..., :3], 8)
    nn.init.zeros_(vae.posterior.weight)
    nn.init.zeros_(vae.posterior.bias)
    places = vae.encode(surface, chosen).mean[..., :3]
    torch.testing.assert_close(places, surface[0, chosen[0], :3][None] if anchored else torch.zeros(1, 8, 3))


def test_vae_weights_serve_any_number_of_tokens():
    vae = awake(ShapeVae(VAE))
    surface = torch.randn(1, 64, 6)
    for tokens in (4, 16, 64):
        posterior = vae.encode(surface, farthest_points(surface[..., :3], tokens))
        assert posterior.mean.shape == (1, tokens, 6)
        assert vae.decode(posterior.mean, torch.zeros(1))(torch.rand(1, 7, 3)).shape == (1, 7)
    # A field answers each point by itself.
    field = vae.decode(posterior.mean, torch.zeros(1))
    points = torch.rand(1, 9, 3)
    torch.testing.assert_close(torch.cat([field(points[:, :4]), field(points[:, 4:])], 1), field(points), atol=1e-5, rtol=1e-5)


def test_farthest_points_take_what_is_farthest():
    points = torch.rand(3, 60, 3)
    chosen = farthest_points(points, 12).numpy()
    for cloud, picks in zip(points.numpy(), chosen, strict=True):
        assert picks[0] == 0
        for k in range(1, 12):
            gaps = np.linalg.norm(cloud[:, None] - cloud[picks[:k]][None], axis=-1).min(1)
            assert gaps[picks[k]] == pytest.approx(gaps.max())


def test_fourier_features_are_powers_of_two_without_pi():
    points = torch.rand(4, 3)
    code = fourier(points, 3)
    assert code.shape == (4, 3 + 18)
    torch.testing.assert_close(code[:, :3], points)
    torch.testing.assert_close(code[:, 3:6], torch.stack([(points[:, 0] * f).sin() for f in (1, 2, 4)], 1))
    torch.testing.assert_close(code[:, 18:], torch.stack([(points[:, 2] * f).cos() for f in (1, 2, 4)], 1))


def test_qk_norm_keeps_logits_from_the_size_of_the_input():
    attention = Attention(16, 2)
    q, k = (attention.q_norm(100 * torch.randn(1, 2, 5, 8)) for _ in range(2))
    torch.testing.assert_close(q.square().mean(-1), torch.ones(1, 2, 5), atol=1e-4, rtol=1e-4)
    assert (q @ k.transpose(-1, -2)).abs().max() <= 8 + 1e-3


def test_placed_attention_is_a_sum_of_affine_answers_by_distance():
    attention = awake(PlacedAttention(16, 2))
    tokens, context = torch.randn(1, 6, 16), torch.randn(1, 5, 16)
    points, places = torch.rand(1, 6, 3), torch.rand(1, 5, 3)
    got = attention.attend_at(tokens, points, *attention.placed(context, places), places)
    q, k = attention.q_norm(attention.q(tokens).view(6, 2, 8)), attention.k_norm(attention.k(context).view(5, 2, 8))
    a, b = attention.v(context).view(5, 2, 8), attention.slopes(context).view(5, 3, 2, 8)
    answers = torch.zeros(6, 2, 8)
    for head in range(2):
        gaps = (points[0, :, None] - places[0, None]).square().sum(-1)
        weights = (q[:, head] @ k[:, head].T / 8**0.5 - attention.sharpness[head].exp() * gaps).softmax(-1)
        for i in range(6):
            for j in range(5):
                offset = points[0, i] - places[0, j]
                answers[i, head] += weights[i, j] * (a[j, head] + offset @ b[j, :, head])
    torch.testing.assert_close(got[0], attention.out(answers.reshape(6, 16)), atol=1e-4, rtol=1e-4)


def test_experts_are_the_weighted_sum_of_the_two_most_likely():
    experts = awake(Experts(16, count=5))
    tokens = torch.randn(3, 7, 16)
    got = experts(tokens)
    flat = tokens.reshape(-1, 16)
    chances = (flat @ experts.router.weight.T).softmax(-1)
    for row, token in enumerate(flat):
        best = chances[row].argsort(descending=True)[:2]
        share = chances[row, best] / chances[row, best].sum()
        expected = experts.shared(token) + sum(s * experts.experts[int(e)](token) for s, e in zip(share, best, strict=True))
        torch.testing.assert_close(got.reshape(-1, 16)[row], expected, atol=1e-5, rtol=1e-5)


def test_balance_loss_is_its_sum_and_least_when_even():
    chances = torch.randn(50, 4).softmax(-1)
    chosen = chances.topk(2).indices
    share = [(chosen == e).sum() / 100 for e in range(4)]
    torch.testing.assert_close(balance_loss(chances, chosen), 4 * sum(share[e] * chances[:, e].mean() for e in range(4)))
    even = torch.full((8, 4), 0.25)
    assert balance_loss(even, torch.arange(8)[:, None] % 4) == pytest.approx(1.0)
    assert balance_loss(torch.eye(4)[[0] * 8], torch.zeros(8, 1, dtype=torch.long)) == pytest.approx(4.0)


def test_experts_start_as_the_dense_network():
    dense = awake(ShapeFlow(FLOW, 6, 10))
    mixed = ShapeFlow(SimpleNamespace(**{**vars(FLOW), "moe_blocks": 2}), 6, 10)
    mixed.start_experts(dense)
    given = torch.randn(2, 8, 6), torch.tensor([100.0, 700.0]), torch.randn(2, 5, 10)
    torch.testing.assert_close(mixed(*given), dense(*given), atol=1e-5, rtol=1e-5)
    assert isinstance(dense.blocks[-1].feed, FeedForward)
    assert mixed.balance() >= 1 - 1e-4
    assert dense.balance() == 0


def test_flow_is_equivariant_and_sees_time_condition_and_skips():
    flow = awake(ShapeFlow(FLOW, 6, 10))
    latents, times, condition = torch.randn(2, 8, 6), torch.tensor([100.0, 700.0]), torch.randn(2, 5, 10)
    out, turn = flow(latents, times, condition), torch.randperm(8)
    torch.testing.assert_close(flow(latents[:, turn], times, condition), out[:, turn], atol=1e-5, rtol=1e-5)
    for changed in ((latents, times + 50, condition), (latents, times, 0 * condition)):
        assert (flow(*changed) - out).abs().max() > 1e-3
    joins = [block.join for block in flow.blocks]
    assert [join is not None for join in joins] == [False, False, False, True, True]
    assert isinstance(joins[-1][0], nn.LayerNorm)
    # The last block's partner is the first one: its join reads what that one wrote.
    seen = {}
    flow.blocks[0].register_forward_hook(lambda m, i, o: seen.update(first=o))
    joins[-1].register_forward_hook(lambda m, i, o: seen.update(joined=i[0]))
    flow(latents, times, condition)
    torch.testing.assert_close(seen["joined"][..., :32], seen["first"])


def test_latents_see_the_picture_where_they_lie():
    side = 6
    centres = (torch.arange(side) + 0.5) / side * 2 - 1
    down, right = torch.meshgrid(centres, centres, indexing="ij")
    tokens = torch.stack([right, down], -1).flatten(0, 1)[None]  # each patch holds its own place in the frame
    places = torch.tensor([[[0.5, 9.0, 0.25], [-0.7, 0.0, 0.6], [0.0, 0.0, 0.0], [3.0, 0.0, 0.0]]])
    seen = at_places(torch.cat([torch.full((1, 1, 2), 99.0), tokens], 1), places, 0.9)  # the class token is not looked at
    torch.testing.assert_close(seen[0, :3], 0.9 * torch.stack([places[0, :3, 0], -places[0, :3, 2]], -1), atol=1e-6, rtol=0)
    assert not seen[0, 3].any()


def test_an_aligned_flow_is_equivariant_and_moves_with_the_picture():
    torch.manual_seed(0)
    flow = awake(ShapeFlow(SimpleNamespace(**{**vars(FLOW), "aligned": True}), 6, 10, placed=True))
    latents, times, tokens = torch.randn(2, 5, 6), torch.tensor([100.0, 900.0]), torch.randn(2, 9, 10)
    answer = flow(latents, times, tokens)
    order = torch.randperm(5)
    torch.testing.assert_close(flow(latents[:, order], times, tokens), answer[:, order], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(flow(latents, times, tokens.flip(1)), answer, atol=1e-4)


def test_in_the_order_of_a_sphere_a_token_knows_which_it_is():
    torch.manual_seed(0)
    flow = awake(ShapeFlow(SimpleNamespace(**{**vars(FLOW), "order": "sphere"}), 6, 10))
    latents, times, tokens = torch.randn(2, 5, 6), torch.tensor([100.0, 900.0]), torch.randn(2, 9, 10)
    answer, order = flow(latents, times, tokens), torch.tensor([1, 2, 3, 4, 0])
    assert not torch.allclose(flow(latents[:, order], times, tokens), answer[:, order], atol=1e-3)
    flow.position.data = flow.position.data[order]
    torch.testing.assert_close(flow(latents[:, order], times, tokens), answer[:, order], atol=1e-5, rtol=1e-4)


def test_blocks_guess_the_places_of_latents_and_look_there():
    torch.manual_seed(0)
    flow = awake(ShapeFlow(SimpleNamespace(**{**vars(FLOW), "aligned": True}), 6, 10, placed=True))
    latents, times, tokens = torch.randn(2, 5, 6), torch.tensor([100.0, 900.0]), torch.randn(2, 9, 10)
    flow(latents, times, tokens)
    assert [guess.shape for guess in flow.guesses] == [(2, 5, 3)] * 5
    look, inner = flow.looks[2], torch.randn(2, 5, 32)
    added, places = look(inner, tokens)
    seen = at_places(tokens, 0.5 * places, 0.9)
    torch.testing.assert_close(added, look.read(torch.cat([seen, fourier(places, 4)], -1)))
    # A guess is trained by its own loss alone: the picture pulls no place to where it looks better.
    added.square().sum().backward()
    assert look.guess.weight.grad is None
    assert look.read.weight.grad.abs().sum() > 0


def test_an_untrained_flow_answers_zero():
    assert not ShapeFlow(FLOW, 6, 10)(torch.randn(1, 4, 6), torch.ones(1), torch.randn(1, 3, 10)).any()
