// @ts-check
/** How well this vehicle can be supervised now: objectives, enforcement, limits, in words. */
import { dashed, seconds } from '../core/format.js';
import { againstLimit, announced, inUse, spoken, standing, worst } from '../core/supervision.js';
import { html } from '../view.js';
import { Stages } from './stages.js';

/** Shapes beside the words, so that no hue is needed. */
/** @type {Record<string, string>} */
const MARKS = { met: '○', at_risk: '△', violated: '✕', unknown: '?' };

/** @param {import('../shell/console.js').Console} desk @param {any} objective */
function why(desk, objective) {
  return desk.t(`why.${objective.reason}`, spoken(objective.numbers ?? {}), objective.reason);
}

/** One line for a tile: the worst objective with its reason, or what is about to happen. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const SupervisionLine = ({ desk, vehicle }) => {
  const { t } = desk;
  void desk.tick.value;
  const view = vehicle.supervision;
  const hubLost = desk.state.value.socket !== 'open';
  const state = hubLost ? 'unknown' : standing(view, view ? desk.since(view.at_ns) : null);
  const first = worst(view);
  const named = state !== 'met' && first !== null && first.verdict === state;
  const name = named ? t(`indicator.${first.indicator}`, {}, first.indicator) : t(`verdict.${state}`);
  const detail = named ? `${againstLimit(first)} — ${why(desk, first)}`
    : state === 'met' ? '' : t(hubLost ? 'blocked.hub_lost' : 'why.no_evidence');
  return html`<span class=${`objective ${state}`} data-testid=${`objectives-${dashed(vehicle.id)}`} data-verdict=${state}
      data-objective=${first?.key ?? ''} title=${`${t(`verdict.${state}`)}: ${name} ${detail}`}>
      <b>${MARKS[state]} ${name}</b>${detail && html`<small>${detail}</small>`}</span>
    <${Enforcement} desk=${desk} vehicle=${vehicle} />`;
};

/** What the hub does or is about to do, with the countdown. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const Enforcement = ({ desk, vehicle }) => {
  const { t } = desk;
  void desk.tick.value;
  const ladder = vehicle.supervision?.ladder;
  if (!ladder) return null;
  const next = announced(ladder, desk.hubNow());
  if (ladder.rung === 'none' && next === null) return null;
  return html`<span class="enforcement" data-testid=${`ladder-${dashed(vehicle.id)}`} data-rung=${ladder.rung} data-next=${next?.rung ?? ''}>
    ${ladder.rung !== 'none' && html`<b>${t('ladder.now', { what: t(`rung.${ladder.rung}`) })}</b>`}
    ${next && html`<b class=${next.down ? 'easing' : 'coming'}>${t(next.down ? 'ladder.eases' : 'ladder.next', { what: t(`rung.${next.rung}`), in: seconds(next.in_ms) })}</b>`}
  </span>`;
};

/** Everything that is judged, for the take-over screen. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const Objectives = ({ desk, vehicle }) => {
  const { t } = desk;
  void desk.tick.value;
  const view = vehicle.supervision;
  if (!view) return html`<div class="objectives"><h3>${t('objectives.title')}</h3><small>${t('why.no_evidence')}</small></div>`;
  const { closed_loop: loop, drive, speed_limit: limit } = view;
  const stale = standing(view, desk.since(view.at_ns)) === 'unknown' && (desk.since(view.at_ns) ?? Infinity) > 3_000;
  return html`<div class=${`objectives ${stale ? 'stale' : ''}`} role="region" aria-label=${t('objectives.title')} tabindex="0" data-testid=${`objective-list-${dashed(vehicle.id)}`}>
    <h3>${t('objectives.title')} <small>${t(`purpose.${view.purpose}`)}</small></h3>
    <ul>${inUse(view).map((one) => html`<li key=${one.key} class=${`objective ${one.verdict}`} title=${why(desk, one)}>
      <b>${MARKS[one.verdict] ?? '?'}</b><span>${t(`indicator.${one.indicator}`, {}, one.indicator)}</span><span class="num">${againstLimit(one)}</span>
      ${one.verdict !== 'met' && html`<small>${why(desk, one)}</small>`}</li>`)}</ul>
    <p class="loop"><span>${t('stage.title')}</span></p><${Stages} desk=${desk} vehicle=${vehicle.id} />
    <p class="loop"><span>${t('indicator.closed_loop')}</span><span class="num">${loop.ms == null
      ? t('loop.missing', { what: loop.missing.map((/** @type {string} */ part) => t(`indicator.${part === 'command' ? 'command_delay' : part}`, {}, part)).join('・') })
      : `${seconds(loop.ms)} ±${seconds(loop.uncertainty_ms ?? 0)}`}</span></p>
    ${limit && html`<p class="loop"><span>${t('limit.title')}</span><span class="num">${Math.round(limit.kmh)} km/h ${t(`limit.by.${limit.set_by}`, {}, limit.set_by)}（${t(`limit.state.${limit.state}`, {}, limit.state)}）</span></p>`}
    ${!drive.available && html`<p class="loop"><span>${t('drive.no')}</span><span>${drive.reasons.map((/** @type {string} */ reason) => driveReason(desk, view, reason)).join('・')}</span></p>`}
    <${Enforcement} desk=${desk} vehicle=${vehicle} />
  </div>`;
};

/** @param {import('../shell/console.js').Console} desk @param {any} view @param {string} reason */
export function driveReason(desk, view, reason) {
  const [kind, key] = reason.split(':');
  if (kind !== 'objective') return desk.t(`drive.${kind}`, {}, reason);
  const objective = view.objectives.find((/** @type {any} */ one) => one.key === key);
  return objective ? desk.t(`indicator.${objective.indicator}`, {}, key) : key;
}
