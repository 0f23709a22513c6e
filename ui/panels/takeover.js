// @ts-check
/** S2 Take-over 介入: orient, act, hand back. Live large, why, control, answers, STOP. */
import { heldVehicle, standingOf } from '../core/control.js';
import { dashed } from '../core/format.js';
import { requestPriority } from '../core/select.js';
import { html } from '../view.js';
import { EmergencyButton, StopButton } from './alarmline.js';
import { Answers } from './answers.js';
import { Cameras } from './cameras.js';
import { Chip } from './chip.js';
import { CommandProgress } from './command.js';
import { ControlBox, HandBack, Holder } from './control.js';
import { DriveState } from './drive.js';
import { useFocusHere } from './focus.js';
import { FleetMap } from './map.js';
import { More } from './more.js';
import { TimeLeft } from './queue.js';
import { Objectives } from './supervision.js';
import { Link, Mode, Speed } from './tile.js';

/** @param {{desk: import('../shell/console.js').Console, language: 'ja'|'en'}} props */
export const TakeOver = ({ desk, language }) => {
  const { t } = desk;
  const state = desk.state.value;
  const root = useFocusHere(state.intervene);
  const vehicle = state.intervene === null ? undefined : state.vehicles[state.intervene];
  if (!vehicle) return html`<p class="empty big">${t('blocked.no_vehicle')}</p>`;
  const request = state.takeover === null ? null : state.requests[state.takeover];
  const standing = standingOf(state, vehicle.id);
  const driving = standing === 'held' && state.controls[vehicle.id]?.purpose === 'drive';
  return html`<div class=${`takeover ${standing}`} tabindex="-1" ref=${root} data-testid="takeover" data-vehicle=${vehicle.id} data-standing=${standing}>
    <section class="takeover-live">
      <header class="tile-head">${request && html`<${Chip} priority=${requestPriority(state, request)} />`}<strong>${t('takeover.title')}: ${desk.say(vehicle.name)}</strong><small class="id">${vehicle.id}</small>
        <${Holder} desk=${desk} vehicle=${vehicle.id} /><${Mode} desk=${desk} vehicle=${vehicle} /><${Link} desk=${desk} vehicle=${vehicle} /></header>
      <${Cameras} desk=${desk} vehicle=${vehicle} large=${true} />
      ${driving && html`<${DriveState} desk=${desk} vehicle=${vehicle} />`}
    </section>
    <section class="takeover-context">
      <div class="facts" role="region" aria-label=${t('takeover.reason')} tabindex="0"><${Facts} desk=${desk} vehicle=${vehicle} request=${request} /></div>
      <div class="takeover-map"><${FleetMap} desk=${desk} language=${language} /></div>
      <${Objectives} desk=${desk} vehicle=${vehicle} />
    </section>
    <section class="takeover-side">
      <div class="takeover-acts">
        <${ControlBox} desk=${desk} vehicle=${vehicle} />
        <${CommandProgress} desk=${desk} vehicle=${vehicle.id} />
        <${Answers} desk=${desk} vehicle=${vehicle} request=${request} />
        <${More} desk=${desk} vehicle=${vehicle} request=${request} />
        <${HandBack} desk=${desk} vehicle=${vehicle} />
      </div>
      <footer class="takeover-foot">
        <span class="pair"><${StopButton} desk=${desk} vehicle=${vehicle.id} testid=${`stop-${dashed(vehicle.id)}`} />
        <${EmergencyButton} desk=${desk} vehicle=${vehicle.id} testid=${`emergency-${dashed(vehicle.id)}`} /></span>
        <button class="quiet back" data-testid="takeover-back" disabled=${heldVehicle(state) === vehicle.id && driving}
          onClick=${() => desk.dispatch({ type: 'local.leave_takeover' })}>${t('takeover.back')}</button>
      </footer>
    </section>
  </div>`;
};

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, request: any}} props */
const Facts = ({ desk, vehicle, request }) => {
  const { t } = desk;
  return html`${request && html`<div class="fact"><small>${t('takeover.reason')}</small><b class="large">${t(`reason.${request.reason}`, {}, request.reason || t('reason.other'))}</b></div>
      ${request.text && html`<div class="fact"><small>${t('takeover.says')}</small><span>${desk.say(request.text)}</span></div>`}
      <${TimeLeft} desk=${desk} request=${request} />
      ${request.deadline_ns !== null && html`<small>${t('takeover.fallback')}: ${t('takeover.fallback_text')}</small>`}`}
    <${Speed} desk=${desk} vehicle=${vehicle} />`;
};
