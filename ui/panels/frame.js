// @ts-check
/** The frame of every screen: strip, banners, queue, screen, alarm line. */
import { useEffect } from 'preact/hooks';
import { heldVehicle } from '../core/control.js';
import { seconds, wallClock } from '../core/format.js';
import { html } from '../view.js';
import { AlarmLine } from './alarmline.js';
import { Alarms } from './alarms.js';
import { ControlStrip, GoneBanner } from './control.js';
import { Duties } from './duties.js';
import { Fleet } from './fleet.js';
import { Handover } from './handover.js';
import { Help } from './help.js';
import { Intercom } from './intercom.js';
import { HistorySheet } from './history.js';
import { MapScreen } from './mapscreen.js';
import { Queue } from './queue.js';
import { RehearsalPanel } from './rehearsal.js';
import { MAY_SEE, Seats } from './seats.js';
import { SeatFigure, SeatSheet } from './seatbudget.js';
import { Insecure } from './secure.js';
import { SessionLine } from './session.js';
import { ShiftCheck } from './shift.js';
import { TakeOver } from './takeover.js';
import { Watch } from './watch.js';

const JST_H = 9;

/** @param {{desk: import('../shell/console.js').Console}} props */
export function Frame({ desk }) {
  const language = desk.language.value;
  const palette = desk.palette.value;
  useEffect(() => {
    document.documentElement.lang = language;
    document.documentElement.dataset.palette = palette;
  }, [language, palette]);
  const { socket, was_open, welcome, screen, intervene } = desk.state.value;
  const held = heldVehicle(desk.state.value);
  useEffect(() => {
    document.title = `${desk.t(`nav.${screen}`)} — ${welcome?.site_name ?? ''} ${desk.t('app.name')}`;
  }, [language, screen, welcome]);
  const body = intervene ? TakeOver : { watch: Watch, map: MapScreen, alarms: Alarms, duties: Duties, handover: Handover, seats: Seats, fleet: Fleet, rehearsal: RehearsalPanel }[screen];
  return html`<div class="frame" data-testid="frame" data-socket=${socket}
      data-armed=${String(armedSeat(desk))} data-control=${held ?? ''} data-stale=${String(was_open && socket !== 'open')}>
    <${Strip} desk=${desk} language=${language} />
    <${Banners} desk=${desk} language=${language} />
    <div class="middle">
      <div class="left-column"><${Queue} desk=${desk} language=${language} /><${Intercom} desk=${desk} /></div>
      <main class="screen"><${body} desk=${desk} language=${language} /></main>
      <${HistorySheet} desk=${desk} language=${language} />
      ${desk.help.value && html`<${Help} desk=${desk} />`}
      <${SeatSheet} desk=${desk} />
      ${desk.shiftCheck.value && html`<${ShiftCheck} desk=${desk} />`}
    </div>
    <${AlarmLine} desk=${desk} language=${language} />
  </div>`;
}

/** @param {{desk: import('../shell/console.js').Console}} props */
const Strip = ({ desk }) => {
  const { t } = desk;
  const { welcome, socket, screen, intervene } = desk.state.value;
  const now_ms = desk.tick.value;
  const clock = desk.clock.value;
  const hub = desk.state.value.hub_now_ns / 1e6;
  // UTC of the hub: its wall clock at welcome, carried on by its monotonic clock.
  const utc_ms = welcome ? welcome.hub_utc_ns / 1e6 + desk.hubNow() - welcome.hub_now_ns / 1e6 : null;
  const trusted = clock?.trusted === true && hub > 0;
  const trust = clock === null ? t('top.clock_unknown')
    : t(clock.trusted ? 'top.clock_trusted' : 'top.clock_untrusted', { n: clock.uncertainty_ms.toFixed(1) });
  const silent_s = Math.ceil((desk.silent_until_ms.value - now_ms) / 1000);
  return html`<header class="strip">
    <strong class="site" data-testid="site">${welcome?.site_name ?? t('app.name')}</strong>
    <nav>${['watch', 'map', 'alarms', 'duties', 'handover', ...(MAY_SEE.includes(welcome?.role) ? ['seats'] : []), 'fleet', ...(desk.rehearsal.offered.value ? ['rehearsal'] : [])].map((name) => html`<button key=${name} class="tab" data-testid=${`nav-${name}`}
      aria-current=${screen === name && !intervene ? 'page' : undefined}
      onClick=${() => desk.dispatch({ type: 'local.screen', screen: name })}>${t(`nav.${name}`)}</button>`)}</nav>
    <span class=${`clock ${trusted ? '' : 'warn'}`} data-testid="clock" title=${trust}>
      <b>${utc_ms === null ? '--:--:--' : wallClock(utc_ms, JST_H)}</b> JST
      <span class="minor">${utc_ms === null ? '--:--:--' : wallClock(utc_ms, 0)} UTC</span>
      <small data-testid="clock-trust" data-trusted=${String(trusted)}>${trust}</small>
    </span>
    <span class="who" data-testid="who">${welcome ? html`${welcome.account} <small>${t(`role.${welcome.role}`)}</small>` : '—'}</span>
    <${ControlStrip} desk=${desk} />
    <span class="health">
      <span class=${socket === 'open' ? '' : 'bad'} data-testid="hub" data-state=${socket}>
        <small>${t('top.hub')}</small> ${t(`top.hub_${socket}`)}${socket === 'open' && clock ? html` <i>${clock.rtt_ms.toFixed(0)} ms</i>` : ''}</span>
      <button class=${`quiet ${desk.armed.value ? '' : 'bad'}`} data-testid="sound" data-armed=${String(desk.armed.value)}
        onClick=${() => (desk.shiftCheck.value = true)}>
        <small>${t('top.sound')}</small> ${desk.armed.value
          ? (silent_s > 0 ? t('top.sound_silent', { n: silent_s }) : t('top.sound_on')) : t('top.sound_off')}</button>
      <${SeatFigure} desk=${desk} />
      <span class=${desk.visible.value ? '' : 'bad'} data-testid="tab"><small>${t('top.tab')}</small> ${t(desk.visible.value ? 'top.tab_visible' : 'top.tab_hidden')}</span>
    </span>
    <span class="settings">
      <button class="quiet" data-testid="palette" title=${t('top.palette')} onClick=${() => desk.nextPalette()}>${t(`palette.${desk.palette.value}`)}</button>
      <button class="quiet" data-testid="language" title=${t('lang.switch')} onClick=${() => desk.toggleLanguage()}>${t('lang.other')}</button>
      <button class="quiet" data-testid="help-open" title=${t('top.help')} aria-label=${t('top.help')} onClick=${() => (desk.help.value = true)}>?</button>
      <button class="quiet" data-testid="signout" onClick=${() => desk.signOut()}>${t('signin.out')}</button>
    </span>
  </header>`;
};

/** @param {{desk: import('../shell/console.js').Console}} props */
const Banners = ({ desk }) => {
  const { t } = desk;
  const { socket, socket_since_ms, was_open, ended, stopped } = desk.state.value;
  const lost = was_open && socket !== 'open';
  const age_ms = desk.tick.value - socket_since_ms;
  const hidden_ms = desk.hidden_for_ms.value;
  return html`<div class="banners" role="status">
    <${SessionLine} desk=${desk} />
    ${lost && ended === null && html`<p class="banner lost" data-testid="banner-lost" data-stopped=${stopped}>${t(stopped ? 'banner.stopped' : 'banner.lost', { age: seconds(age_ms) })}</p>`}
    ${!was_open && socket !== 'open' && html`<p class="banner note" data-testid="banner-connecting">${t('banner.connecting')}</p>`}
    ${hidden_ms > 1_000 && html`<p class="banner note" data-testid="banner-hidden">${t('banner.hidden')} (${seconds(hidden_ms)})</p>`}
    <${Insecure} t=${t} language=${desk.language.value} />
    ${ended === null && html`<${GoneBanner} desk=${desk} />`}
    <${Unarmed} desk=${desk} />
  </div>`;
};

/** Roles without a seat only have to hear. @param {import('../shell/console.js').Console} desk */
function armedSeat(desk) {
  return desk.state.value.welcome?.seat ? desk.seatArmed.value : desk.armed.value;
}

/** Why this seat cannot warn or act, and what to do about it. @param {{desk: import('../shell/console.js').Console}} props */
const Unarmed = ({ desk }) => {
  const { t } = desk;
  if (armedSeat(desk)) return null;
  const why = desk.state.value.welcome?.seat ? desk.seatWhy.value : [];
  const words = desk.soundHeld.value ? t('shift.blocked')
    : why.length > 0 ? why.map((one) => t(`seat.${one}`)).join('・') : t('banner.unarmed');
  return html`<p class="banner unarmed" data-testid="banner-unarmed" data-why=${why.join(' ')}>
    <span>${why.length > 0 && html`<b>${t('seat.unarmed')}</b> `}${words}</span>
    ${why.every((one) => ['hidden', 'blur', 'no_report'].includes(one)) && why.length > 0 ? '' : html`<button data-testid="shift-open" onClick=${() => (desk.shiftCheck.value = true)}>${t('shift.open')}</button>`}</p>`;
};
