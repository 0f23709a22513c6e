// @ts-check
/**
 * Start of shift 始業点検: every alarm sound by ear, microphone, gamepad or wheel, clock, and
 * one stop of the training vehicle. What was found is kept with the check.
 */
import { useEffect, useState } from 'preact/hooks';
import { beginCalibration, calibrated, learn } from '../core/calibration.js';
import { readHands } from '../core/drive.js';
import { shortName } from '../core/format.js';
import { keepCalibration, loadCalibration, readPad } from '../shell/gamepads.js';
import { listen } from '../shell/microphone.js';
import { html } from '../view.js';
import { Bar } from './drive.js';
import { useFocusHere } from './focus.js';

const SOUNDS = /** @type {const} */ (['p1', 'p2', 'p3', 'hub_lost']);
const LOOK_EVERY_MS = 33;

/** @param {{desk: import('../shell/console.js').Console}} props */
export function ShiftCheck({ desk }) {
  const { t } = desk;
  const heard = desk.heard.value;
  const [microphone, setMicrophone] = useState('skipped');
  const [calibrating, setCalibrating] = useState(false);
  void desk.tick.value;
  const pad = readPad();
  const gamepad = pad === null ? 'none' : loadCalibration(pad.id) ? 'ok' : 'skipped';
  const clock = desk.clock.value?.trusted === true ? 'ok' : 'failed';
  const stop = stopFound(desk);
  const kept = desk.shift.value;
  const done = desk.armed.value;
  const root = useFocusHere(calibrating);
  const finish = () => {
    if (done) desk.finishShift({ microphone, gamepad, clock, stop });
    desk.shiftCheck.value = false;
  };
  if (calibrating) return html`<${Calibrate} desk=${desk} leave=${() => setCalibrating(false)} />`;
  return html`<section class="sheet" role="dialog" aria-label=${t('shift.title')} tabindex="-1" ref=${root} data-testid="shift">
    <h2>${t('shift.title')} ${kept && html`<small>${t('shift.last', { time: new Date(kept.at_utc_ms).toLocaleTimeString('ja-JP', { hour: '2-digit', minute: '2-digit' }), who: kept.account })}</small>`}</h2>
    <p>${t(kept && !done ? 'shift.reload_note' : 'shift.intro')}</p>
    <ul class="shift-list">${SOUNDS.map((name) => html`<li key=${name}>
      <span>${t(`shift.${name}`)}</span>
      <button data-testid=${`shift-play-${name}`} onClick=${() => desk.playTest(name)}>▶ ${t('shift.play')}</button>
      <button data-testid=${`shift-heard-${name}`} aria-pressed=${String(heard.includes(name))}
        onClick=${() => desk.confirmHeard(name)}>${heard.includes(name) ? `✓ ${t('shift.done')}` : t('shift.heard')}</button>
    </li>`)}
    <${Row} desk=${desk} name="microphone" found=${microphone} act=${async () => {
      setMicrophone('running');
      setMicrophone(await listen());
    }} />
    <${Row} desk=${desk} name="gamepad" found=${gamepad} word=${gamepad === 'ok' ? 'shift.again' : 'shift.calibrate'} act=${pad === null ? null : () => setCalibrating(true)} />
    <${Row} desk=${desk} name="clock" found=${clock} detail=${desk.clock.value ? t(desk.clock.value.trusted ? 'top.clock_trusted' : 'top.clock_untrusted', { n: desk.clock.value.uncertainty_ms.toFixed(1) }) : ''} />
    ${desk.state.value.welcome?.training_vehicle && html`<${Row} desk=${desk} name="stop" found=${stop} detail=${shortName(desk.state.value.welcome.training_vehicle)}
      act=${() => desk.stopVehicle(desk.state.peek().welcome.training_vehicle)} />`}
    </ul>
    ${desk.soundHeld.value && html`<p class="problem">${t('shift.blocked')}</p>`}
    <footer><button class=${done ? 'primary' : ''} data-testid="shift-close" onClick=${finish}>${t(done ? 'shift.finish' : 'shift.later')}</button></footer>
  </section>`;
}

/** @param {{desk: import('../shell/console.js').Console, name: any, found: any, detail?: any, act?: any, word?: any}} props */
const Row = ({ desk, name, found, detail = '', act = null, word = 'shift.test' }) => html`<li data-testid=${`shift-${name}`} data-found=${found}>
  <span>${desk.t(`shift.${name}`)} ${detail && html`<small>${detail}</small>`}</span>
  ${act ? html`<button data-testid=${`shift-test-${name}`} onClick=${act}>${desk.t(word)}</button>` : html`<span></span>`}
  <span class=${`found ${found}`}>${desk.t(`found.${found}`)}</span></li>`;

/** The training vehicle has applied a stop that was given here. @param {import('../shell/console.js').Console} desk */
function stopFound(desk) {
  const { welcome, asked, commands } = desk.state.value;
  const vehicle = welcome?.training_vehicle;
  if (!vehicle) return 'none';
  const stops = Object.values(asked).filter((one) => one.vehicle === vehicle && one.type === 'stop');
  const last = stops.at(-1);
  if (last === undefined) return 'skipped';
  const state = commands[last.id]?.state;
  return state === 'applied' ? 'ok' : state === 'refused' || state === 'unconfirmed' || last.timed_out ? 'failed' : 'running';
}

/** Learn a wheel or pad by doing, then show what it says. @param {{desk: import('../shell/console.js').Console, leave: any}} props */
const Calibrate = ({ desk, leave }) => {
  const { t } = desk;
  const [look, setLook] = useState(/** @type {{learning: any, pad: any}} */ ({ learning: null, pad: null }));
  useEffect(() => {
    const timer = window.setInterval(() => {
      const pad = readPad();
      setLook(({ learning }) => {
        if (pad === null) return { learning: null, pad };
        const before = learning?.id === pad.id ? learning : beginCalibration(pad);
        return { learning: learn(before, pad, performance.now()), pad };
      });
    }, LOOK_EVERY_MS);
    return () => window.clearInterval(timer);
  }, []);
  const { learning, pad } = look;
  const found = learning === null ? null : calibrated(learning);
  useEffect(() => {
    if (found === null) return;
    keepCalibration(found);
    desk.driving.forgetCalibration();
    desk.seat.look();
  }, [found]);
  const hands = found && pad ? readHands(found, pad) : null;
  return html`<section class="sheet" role="dialog" aria-label=${t('calibrate.title')} data-testid="calibrate" data-step=${learning?.step ?? ''} data-problem=${learning?.problem ?? ''}
      data-moved=${String(learning !== null && (learning.moved !== null || learning.held.length > 0))}>
    <h2>${t('calibrate.title')}</h2><small>${pad?.id ?? t('found.none')}</small>
    <p class="calibrate-step">${learning ? t(`calibrate.${learning.step}`) : t('driveblock.no_gamepad')}</p>
    ${learning?.problem && html`<p class="problem">${t(`calibrate.problem.${learning.problem}`)}</p>`}
    ${hands ? html`<${Bar} label=${t('calibrate.steer')} value=${hands.steer} both=${true} /><${Bar} label=${t('calibrate.throttle_bar')} value=${hands.throttle} />
      <${Bar} label=${t('calibrate.brake_bar')} value=${hands.brake} /><${Bar} label=${t('calibrate.deadman_bar')} value=${hands.deadman ? 1 : 0} />`
      : pad && pad.axes.map((/** @type {number} */ value, /** @type {number} */ at) => html`<${Bar} key=${at} label=${String(at)} value=${-value} both=${true} />`)}
    <footer><button class=${found ? 'primary' : ''} data-testid="calibrate-close" onClick=${leave}>${t(found ? 'shift.finish' : 'shift.later')}</button></footer>
  </section>`;
};
