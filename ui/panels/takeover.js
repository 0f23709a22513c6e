// @ts-check
/** S2 Take-over 介入: live large, why, answer cards, STOP. */
import { dashed, seconds } from '../core/format.js';
import { allowBlockedBy } from '../core/select.js';
import { html } from '../view.js';
import { StopButton } from './alarmline.js';
import { Chip } from './chip.js';
import { CommandProgress } from './command.js';
import { Picture } from './picture.js';
import { TimeLeft } from './queue.js';
import { Link, Mode, Speed } from './tile.js';

export const TakeOver = ({ desk }) => {
  const { t } = desk;
  const state = desk.state.value;
  const request = state.takeover === null ? undefined : state.requests[state.takeover];
  const vehicle = request && state.vehicles[request.vehicle];
  if (!request || !vehicle) return html`<p class="empty big">${t('blocked.no_vehicle')}</p>`;
  return html`<div class="takeover" data-testid="takeover" data-vehicle=${vehicle.id}>
    <section class="takeover-live">
      <header class="tile-head"><${Chip} priority=${1} /><strong>${t('takeover.title')}: ${vehicle.name}</strong><small class="id">${vehicle.id}</small>
        <${Mode} desk=${desk} vehicle=${vehicle} /><${Link} desk=${desk} vehicle=${vehicle} /></header>
      <${Picture} desk=${desk} vehicle=${vehicle.id} large=${true} />
    </section>
    <section class="takeover-side">
      <div class="fact"><small>${t('takeover.reason')}</small><b class="large">${t(`reason.${request.reason}`, {}, request.reason || t('reason.other'))}</b></div>
      ${request.text && html`<div class="fact"><small>${t('takeover.says')}</small><span>${request.text}</span></div>`}
      <${TimeLeft} desk=${desk} request=${request} />
      ${request.deadline_ns !== null && html`<div class="fact"><small>${t('takeover.fallback')}</small><span>${t('takeover.fallback_text')}</span></div>`}
      <${Speed} desk=${desk} vehicle=${vehicle} />
      <${CommandProgress} desk=${desk} vehicle=${vehicle.id} />
      <div class="answers"><h3>${t('takeover.decide')}</h3>
        <${Allow} desk=${desk} request=${request} />
        <${StopButton} desk=${desk} vehicle=${vehicle.id} testid=${`stop-${dashed(vehicle.id)}`} />
      </div>
      <button class="quiet back" data-testid="takeover-back" onClick=${() => desk.dispatch({ type: 'local.leave_takeover' })}>${t('takeover.back')}</button>
    </section>
  </div>`;
};

/** @param {{desk: import('../shell/console.js').Console, request: any}} props */
function Allow({ desk, request }) {
  const { t } = desk;
  void desk.tick.value;
  const picture = desk.picture(request.vehicle);
  const why = allowBlockedBy(desk.state.value, request, picture);
  /** The picture may have frozen since the button was drawn. */
  const allow = () => {
    if (allowBlockedBy(desk.state.peek(), request, desk.picture(request.vehicle)) === '') desk.allow(request);
  };
  return html`<button class="allow" data-testid=${`allow-${dashed(request.vehicle)}`} disabled=${why !== ''} data-blocked=${why} onClick=${allow}>
      <b>${t('takeover.allow')}</b>
      ${picture.age.ok && html`<small>${t('tile.delay')} ${seconds(picture.age.age_ms)}</small>`}
    </button>
    ${why !== '' && html`<p class="blocked" data-testid=${`blocked-${dashed(request.vehicle)}`}>${t('takeover.blocked', { why: t(`blocked.${why}`) })}</p>`}`;
}
