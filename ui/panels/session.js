// @ts-check
/** The sign-in's end, before and after, and the password once more: lines and inline forms. */
import { useState } from 'preact/hooks';
import { countdown } from '../core/format.js';
import { endsSoon, leftMs } from '../core/session.js';
import { prove, signIn, wordsOf } from '../shell/session.js';
import { html } from '../view.js';

/**
 * One password, inline; nothing is covered by it.
 *
 * @param {{desk: import('../shell/console.js').Console, testid: string, button: string,
 *          give: (password: string) => Promise<import('../shell/session.js').Problem | null>, onDone: () => void}} props
 */
export function PasswordForm({ desk, testid, button, give, onDone }) {
  const { t } = desk;
  const [problem, setProblem] = useState(/** @type {import('../shell/session.js').Problem | null} */ (null));
  const [busy, setBusy] = useState(false);
  const who = desk.state.value.ended?.account ?? desk.state.value.welcome?.account ?? '';
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const password = String(new FormData(form).get('password'));
    setBusy(true);
    const found = await give(password);
    setBusy(false);
    setProblem(found);
    form.reset();
    if (found === null) onDone();
  };
  return html`<form class="password-form" data-testid=${testid} onSubmit=${submit}>
    <input name="username" type="text" value=${who} autocomplete="username" readonly hidden />
    <label>${t('session.password', { who })}
      <input name="password" type="password" data-testid=${`${testid}-password`} autocomplete="current-password" required maxlength="256" /></label>
    <button type="submit" class="primary" data-testid=${`${testid}-submit`} disabled=${busy}>${busy ? t('session.checking') : button}</button>
    ${problem && html`<strong role="alert" data-testid=${`${testid}-problem`}>${wordsOf(t, problem)}</strong>`}
  </form>`;
}

/** Above the screen: the sign-in ends soon, or has ended. @param {{desk: import('../shell/console.js').Console}} props */
export function SessionLine({ desk }) {
  const [open, setOpen] = useState(false);
  const { t } = desk;
  const state = desk.state.value;
  void desk.tick.value;
  if (state.ended !== null) return html`<${Ended} desk=${desk} ended=${state.ended} />`;
  if (!endsSoon(state, desk.hubNow())) return null;
  const left_ms = leftMs(state, desk.hubNow()) ?? 0;
  return html`<div class="banner note session-line" data-testid="banner-session">
    <span>${t('session.soon', { time: countdown(left_ms) })}</span>
    ${open ? html`<${PasswordForm} desk=${desk} testid="renew" button=${t('session.renewed')} give=${prove} onDone=${() => setOpen(false)} />`
      : html`<button data-testid="renew-open" onClick=${() => setOpen(true)}>${t('session.renew')}</button>`}
  </div>`;
}

/** @param {{desk: import('../shell/console.js').Console, ended: import('../core/session.js').Ended}} props */
function Ended({ desk, ended }) {
  const { t } = desk;
  return html`<div class="banner lost session-line" data-testid="banner-ended" data-how=${ended.how}>
    <span><b>${t(`session.ended.${ended.how}`)}</b> ${t('session.cannot')}
      ${ended.held && html`<br />${t('session.released', { vehicle: desk.nameOf(ended.held) })}`}</span>
    <${PasswordForm} desk=${desk} testid="again" button=${t('session.again')} give=${(/** @type {string} */ password) => signIn(ended.account, password, 'session.wrong')}
      onDone=${() => desk.beginAgain()} />
    <button class="quiet" data-testid="again-other" onClick=${() => void desk.signOut()}>${t('session.other')}</button>
  </div>`;
}
