// @ts-check
/** S2 Take-over 介入: live large, why, answer cards, STOP. */
import { useState } from 'preact/hooks';
import { dashed, seconds } from '../core/format.js';
import { allowBlockedBy, MAX_DECISION_AGE_MS, requestPriority } from '../core/select.js';
import { html } from '../view.js';
import { StopButton } from './alarmline.js';
import { Chip } from './chip.js';
import { CommandProgress } from './command.js';
import { Picture } from './picture.js';
import { TimeLeft } from './queue.js';
import { Objectives } from './supervision.js';
import { Link, Mode, Speed } from './tile.js';

/** Why a press did nothing stays readable this long. */
const PRESS_NOTE_MS = 4_000;

export const TakeOver = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  const request = state.takeover === null ? undefined : state.requests[state.takeover];
  const vehicle = request && state.vehicles[request.vehicle];
  if (!request || !vehicle) return html`<p class="empty big">${t('blocked.no_vehicle')}</p>`;
  return html`<div class="takeover" data-testid="takeover" data-vehicle=${vehicle.id}>
    <section class="takeover-live">
      <header class="tile-head"><${Chip} priority=${requestPriority(state, request)} /><strong>${t('takeover.title')}: ${desk.say(vehicle.name)}</strong><small class="id">${vehicle.id}</small>
        <${Mode} desk=${desk} vehicle=${vehicle} /><${Link} desk=${desk} vehicle=${vehicle} /></header>
      <${Picture} desk=${desk} vehicle=${vehicle.id} large=${true} />
    </section>
    <section class="takeover-side">
      <div class="fact"><small>${t('takeover.reason')}</small><b class="large">${t(`reason.${request.reason}`, {}, request.reason || t('reason.other'))}</b></div>
      ${request.text && html`<div class="fact"><small>${t('takeover.says')}</small><span>${desk.say(request.text)}</span></div>`}
      <${TimeLeft} desk=${desk} request=${request} />
      ${request.deadline_ns !== null && html`<div class="fact"><small>${t('takeover.fallback')}</small><span>${t('takeover.fallback_text')}</span></div>`}
      <${Speed} desk=${desk} vehicle=${vehicle} />
      <${CommandProgress} desk=${desk} vehicle=${vehicle.id} />
      <${Objectives} desk=${desk} vehicle=${vehicle} />
      <div class="answers"><h3>${t('takeover.decide')}</h3>
        <${Allow} desk=${desk} request=${request} />
        <${StopButton} desk=${desk} vehicle=${vehicle.id} testid=${`stop-${dashed(vehicle.id)}`} />
        <button class="quiet back" data-testid="takeover-back" onClick=${() => desk.dispatch({ type: 'local.leave_takeover' })}>${t('takeover.back')}</button>
      </div>
    </section>
  </div>`;
};

/** @param {{desk: import('../shell/console.js').Console, request: any}} props */
function Allow({ desk, request }) {
  const { t } = desk;
  void desk.tick.value;
  const picture = desk.picture(request.vehicle);
  const why = allowBlockedBy(desk.state.value, request, picture);
  const [pressed, setPressed] = useState({ why: '', at_ms: 0 });
  /** The picture may have gone since the button was drawn; then the press says so. */
  const allow = () => {
    const now = allowBlockedBy(desk.state.peek(), request, desk.picture(request.vehicle), MAX_DECISION_AGE_MS);
    setPressed({ why: now, at_ms: performance.now() });
    if (now === '') desk.allow(request);
  };
  const shown = why || (desk.tick.value - pressed.at_ms < PRESS_NOTE_MS ? pressed.why : '');
  return html`<button class="allow" data-testid=${`allow-${dashed(request.vehicle)}`} disabled=${why !== ''} data-blocked=${why} onClick=${allow}>
      <b>${t('takeover.allow')}</b>
      ${picture.age.ok && html`<small>${t('tile.delay')} ${seconds(picture.age.age_ms)}</small>`}
    </button>
    ${shown !== '' && html`<p class="blocked" role="status" data-testid=${`blocked-${dashed(request.vehicle)}`}>${t('takeover.blocked', { why: t(`blocked.${shown}`) })}</p>`}`;
}
