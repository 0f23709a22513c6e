// @ts-check
/** Start of shift 始業点検: every alarm sound is played and confirmed by ear. */
import { html } from '../view.js';

const SOUNDS = ['p1', 'p2', 'p3', 'hub_lost'];

/** @param {{desk: import('../shell/console.js').Console}} props */
export function ShiftCheck({ desk }) {
  const { t } = desk;
  const heard = desk.heard.value;
  return html`<section class="sheet" role="dialog" aria-label=${t('shift.title')} data-testid="shift">
    <h2>${t('shift.title')}</h2>
    <p>${t('shift.intro')}</p>
    <ul class="shift-list">${SOUNDS.map((name) => html`<li key=${name}>
      <span>${t(`shift.${name}`)}</span>
      <button data-testid=${`shift-play-${name}`} onClick=${() => desk.playTest(name)}>▶ ${t('shift.play')}</button>
      <button data-testid=${`shift-heard-${name}`} aria-pressed=${String(heard.includes(name))}
        onClick=${() => desk.confirmHeard(name)}>${heard.includes(name) ? `✓ ${t('shift.done')}` : t('shift.heard')}</button>
    </li>`)}</ul>
    ${desk.soundHeld.value && html`<p class="problem">${t('shift.blocked')}</p>`}
    <footer><button class=${desk.armed.value ? 'primary' : ''} data-testid="shift-close"
      onClick=${() => (desk.shiftCheck.value = false)}>${t(desk.armed.value ? 'shift.finish' : 'shift.later')}</button></footer>
  </section>`;
}
