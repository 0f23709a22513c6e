// @ts-check
/** 車内通話 Cabin intercom: what is heard of the focused vehicle, how loud, and talking to it. */
import { html } from '../view.js';

/** @param {{desk: import('../shell/console.js').Console}} props */
export function Intercom({ desk }) {
  const { t } = desk;
  void desk.tick.value;
  const { focused } = desk.state.value;
  if (focused === null) return null;
  const media = desk.media.of(focused);
  const { state, reason, vehicle } = desk.talk.now.value;
  const volume = desk.media.volume.value;
  const heard = media === undefined || !media.hasSound ? 'none' : !desk.armed.value ? 'unarmed' : volume === 0 ? 'muted' : 'playing';
  const why = vehicle === focused ? reason : '';
  const words = why === '' ? (state === 'idle' ? '' : t(`talk.${state}`))
    : why.startsWith('talk_') ? `${t('talk.unheard')}: ${t(`refusal.${why}`)}` : `${t('talk.cannot')}: ${t(`talk.why.${why}`)}`;
  const end = () => desk.talk.end();
  return html`<section class="intercom" aria-label=${t('talk.title')} data-testid="intercom" data-state=${state} data-reason=${why} data-heard=${heard}>
    <h3><span>${t('talk.title')}</span><b>${desk.nameOf(focused)}</b></h3>
    <p class="intercom-heard"><span>${t(`talk.heard.${heard}`)}</span>
      <input type="range" min="0" max="100" step="5" value=${Math.round(volume * 100)} aria-label=${t('talk.volume')} title=${t('talk.volume')} data-testid="volume"
        onInput=${(/** @type {any} */ event) => desk.setVolume(Number(event.target.value) / 100)} /></p>
    <button class="talk" data-testid="talk" aria-pressed=${String(state === 'talking')}
      onPointerDown=${(/** @type {PointerEvent} */ event) => event.button === 0 && void desk.talk.begin(focused)}
      onPointerUp=${end} onPointerLeave=${end} onPointerCancel=${end}><span>${t(state === 'talking' ? 'talk.talking' : 'talk.hold')}</span> <kbd>T</kbd></button>
    <p class=${`intercom-words ${why === '' ? '' : 'cannot'}`} role="status" data-testid="talk-words">${words}</p>
  </section>`;
}
