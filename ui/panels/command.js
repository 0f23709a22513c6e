// @ts-check
/** Progress of a command as far as it is known: sent ▸ received ▸ applied. */
import { dashed } from '../core/format.js';
import { latestCommand, progressSteps } from '../core/select.js';
import { html } from '../view.js';

/** A finished command is shown this long, a failed one until the next. */
const SHOW_DONE_MS = 15_000;

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, compact: any}} props */
export const CommandProgress = ({ desk, vehicle, compact }) => {
  const { t } = desk;
  const state = desk.state.value;
  const command = latestCommand(state, vehicle);
  const testid = compact ? 'command-focused' : `command-${dashed(vehicle)}`;
  if (command === null || isOld(desk, command)) {
    return html`<span class="command none" data-testid=${testid} data-state="none"></span>`;
  }
  const reached = progressSteps(command.state);
  const own = command.operator === '' || command.operator === state.welcome?.account;
  return html`<span class=${`command ${reached === null ? 'failed' : ''}`} data-testid=${testid}
      data-state=${command.state} data-type=${command.type} data-id=${command.id} role="status">
    <b>${t(`command.${command.type}`, {}, command.type)}</b>
    ${reached === null ? html`<span class="command-bad">${t(`command.${command.state}`, { reason: t(`refusal.${command.reason}`, {}, command.reason) })}</span>`
      : reached === 0 ? html`<span>${t(`command.${command.state}`)}</span>`
      : html`<span class="steps">${['sent', 'received', 'applied'].map((step, index) => html`<span key=${step}
          class=${index < reached ? 'reached' : 'ahead'}>${index > 0 ? ' ▸ ' : ''}${t(`command.step_${step}`)}</span>`)}</span>`}
    ${!compact && html`<${Ways} desk=${desk} id=${command.id} />`}
    ${!own && html`<small>${t('command.by', { who: command.operator })}</small>`}
  </span>`;
};

/** @param {import('../shell/console.js').Console} desk @param {any} command */
function isOld(desk, command) {
  if (command.view === null || !['applied', 'refused'].includes(command.state)) return false;
  void desk.tick.value;
  return (desk.since(command.view.applied_ns ?? command.view.asked_ns) ?? 0) > SHOW_DONE_MS;
}

const WAY_MARKS = /** @type {Record<string, string>} */ ({ sent: '✓', ok: '✓', pending: '…', idle: '…' });

/** Which ways an emergency stop of this console went. @param {{desk: import('../shell/console.js').Console, id: any}} props */
const Ways = ({ desk, id }) => {
  const { t } = desk;
  const asked = desk.state.value.asked[id];
  if (asked?.type !== 'emergency_stop') return null;
  const { channel, socket, rest } = asked;
  return html`<small class="ways" data-testid="ways" data-channel=${channel} data-socket=${socket} data-rest=${rest}>${t('way.title')}:
    ${[['channel', channel], ['socket', socket], ['rest', rest]].map(([way, how]) => html`<span key=${way}> ${t(`way.${way}`)} ${WAY_MARKS[how] ?? '✕'}</span>`)}</small>`;
};
