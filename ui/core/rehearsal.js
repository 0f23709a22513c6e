// @ts-check
/**
 * What must happen when something is broken, and what really did. Pure: `observe` is given
 * one look at the console's own state after another, each with its time, and ticks what it
 * finds there. Nothing here makes anything happen.
 *
 * All times are the hub's clock in ms; on one machine that is the clock of the demo too,
 * which says when the fault was really made (`at_ms`).
 *
 * @typedef {'freeze'|'repeat'|'loss'|'delay'|'cut'|'broker'|'grab'} Fault
 * @typedef {{
 *   now_ms: number, picture: ''|'waiting'|'live'|'frozen', why: ''|'still'|'repeated',
 *   still_ms: number | null, age_ms: number | null, link: string, telemetry_ms: number | null,
 *   round_trip_ms: number | null, loss: number | null, streaming: boolean, speed_kmh: number | null,
 *   limit_kmh: number | null, mrm: string | null, alarms: readonly string[], mine: boolean,
 *   holder: string, gone: string, word: Word | null, broker_pid: number | null,
 *   promise: ''|'stops'|'continues', purpose: string, allowed_kmh: number | null,
 * }} Facts
 *   One look. `picture`, `why`, `still_ms`: what the picture is marked as, and how long after
 *   its last frame it was marked; '' while it is not on this screen. `limit_kmh`: what the
 *   vehicle says it obeys; `allowed_kmh`: what the blind-distance rule allows. `word`: past every link, what the vehicle really does.
 *   `promise`: what it does by itself when it does not hear the hub.
 * @typedef {{speed_kmh: number, limit_kmh: number, mrm: string, link_up: boolean}} Word
 * @typedef {{
 *   key: string, by_ms: number, limit_ms?: number,
 *   when?: (facts: Facts, before: Facts, first: Facts) => boolean, measure?: (facts: Facts) => number | null,
 *   holds?: (facts: Facts) => boolean, needs?: (before: Facts) => boolean,
 * }} Expectation
 *   `when`: has to become true within `by_ms`; `measure`, `limit_ms`: measured otherwise than
 *   from the fault, and held against that. `holds`: has to stay true for `by_ms`.
 *   `needs`: otherwise it is not expected now. `before`: the look before the fault, or before
 *   the mending; `first`: always the one before the fault.
 * @typedef {{key: string, by_ms: number, kind: 'when'|'holds', state: 'waiting'|'seen'|'late'|'missed'|'before'|'unjudged', ms: number | null}} Item
 *   `ms`: measured; of what holds: for how long it did. `before`: it was so already.
 *   `unjudged`: mended before its time was over.
 * @typedef {{fault: Fault, vehicle: string, before: Facts, begun_ms: number, at_ms: number | null,
 *   items: readonly Item[], mended: Facts | null, mended_ms: number | null, recovery: readonly Item[]}} Run
 */

/** @type {readonly Fault[]} */
export const FAULTS = ['freeze', 'repeat', 'loss', 'delay', 'cut', 'broker', 'grab'];
/** These mend by themselves. @type {readonly Fault[]} */
export const MENDS_ITSELF = ['broker'];
export const SECOND = 'second-operator';
const MOVING_KMH = 2;

/** @param {Facts} facts */
const live = (facts) => facts.picture === 'live';
/** @param {Facts} facts */
const goesOn = (facts) => facts.picture === 'live' || facts.picture === '';
/** @param {Facts} facts */
const numbers = (facts) => facts.telemetry_ms !== null && facts.telemetry_ms <= 1_000;
/** @param {string} key @returns {(facts: Facts) => boolean} */
const alarm = (key) => (facts) => facts.alarms.includes(key);
/** @param {Facts} facts */
const notMine = (facts) => !facts.mine;
/** @param {Facts} facts */
const slower = (facts, /** @type {Facts} */ before) => facts.limit_kmh !== null && before.limit_kmh !== null && facts.limit_kmh < before.limit_kmh - 0.5;
/** @param {Facts} before */
const stops = (before) => before.promise === 'stops';
/** @param {Facts} before */
const goesSlowly = (before) => before.promise === 'continues';

/** @type {Expectation} */
const FROZEN = { key: 'frozen', by_ms: 2_500, limit_ms: 300, when: (facts) => facts.picture === 'frozen' && facts.why === 'still', measure: (facts) => facts.still_ms };
/** @type {Expectation} */
const PICTURE_BACK = { key: 'picture_back', by_ms: 3_000, when: live };
/** @type {Expectation} */
const NOT_BACK = { key: 'not_back', by_ms: 3_000, holds: notMine };

/** @type {Record<Fault, readonly Expectation[]>} */
export const EXPECTED = {
  freeze: [
    FROZEN,
    { key: 'alarm_video', by_ms: 2_000, when: alarm('video.frozen') },
    { key: 'numbers_go_on', by_ms: 3_000, holds: numbers },
  ],
  repeat: [
    { key: 'repeated', by_ms: 2_000, when: (facts) => facts.picture === 'frozen' && facts.why === 'repeated' },
    { key: 'alarm_video', by_ms: 3_000, when: alarm('video.frozen') },
    { key: 'packets_go_on', by_ms: 3_000, holds: (facts) => facts.streaming },
  ],
  loss: [
    { key: 'loss_seen', by_ms: 3_000, when: (facts) => (facts.loss ?? 0) >= 0.01 },
    { key: 'picture_goes_on', by_ms: 5_000, holds: goesOn },
    { key: 'numbers_go_on', by_ms: 5_000, holds: numbers },
  ],
  delay: [
    { key: 'later', by_ms: 5_000, when: (facts, before) => facts.age_ms === null || (before.age_ms !== null && facts.age_ms >= before.age_ms + 200) },
    { key: 'allowed_falls', by_ms: 8_000, when: (facts, before) => facts.allowed_kmh !== before.allowed_kmh && (facts.allowed_kmh === null || facts.allowed_kmh < (before.allowed_kmh ?? Infinity) - 1) },
    { key: 'limit_falls', by_ms: 8_000, when: slower, needs: (before) => before.purpose === 'assist' || before.purpose === 'drive' },
    { key: 'round_trip', by_ms: 6_000, when: (facts) => (facts.round_trip_ms ?? 0) >= 500 },
    { key: 'alarm_degraded', by_ms: 9_000, when: alarm('link.degraded') },
  ],
  cut: [
    FROZEN,
    { key: 'link_degraded', by_ms: 2_000, when: (facts) => ['degraded', 'lost'].includes(facts.link) },
    { key: 'link_lost', by_ms: 4_000, when: (facts) => facts.link === 'lost' },
    { key: 'alarm_lost', by_ms: 4_500, when: alarm('link.lost') },
    { key: 'control_ends', by_ms: 5_000, when: notMine, needs: (before) => before.mine },
    { key: 'own_stop', by_ms: 5_000, needs: stops, when: (facts) => facts.word !== null && facts.word.mrm !== 'NORMAL' },
    { key: 'own_standstill', by_ms: 15_000, needs: stops, when: (facts) => facts.word?.mrm === 'MRM_SUCCEEDED' && facts.word.speed_kmh < 0.2 },
    { key: 'own_limit', by_ms: 8_000, needs: goesSlowly, when: (facts) => facts.word !== null && facts.word.limit_kmh <= 10.5 },
    { key: 'own_slow', by_ms: 15_000, needs: goesSlowly, when: (facts) => facts.word !== null && facts.word.limit_kmh <= 10.5 && facts.word.speed_kmh <= 10.5 },
  ],
  broker: [
    { key: 'broker_back', by_ms: 3_000, when: (facts, before) => facts.broker_pid !== null && facts.broker_pid > 0 && facts.broker_pid !== before.broker_pid },
    { key: 'numbers_back', by_ms: 5_000, when: (facts, before) => numbersAnew(facts, before) },
    { key: 'picture_goes_on', by_ms: 5_000, holds: goesOn },
    { key: 'link_stays', by_ms: 5_000, holds: (facts) => facts.link !== 'lost' },
  ],
  grab: [
    { key: 'control_ends', by_ms: 1_000, when: notMine, needs: (before) => before.mine },
    { key: 'told_who', by_ms: 1_000, when: (facts) => facts.gone === 'preempted', needs: (before) => before.mine },
    { key: 'holder_shown', by_ms: 1_500, when: (facts) => facts.holder === SECOND },
    NOT_BACK,
  ],
};

/** @type {Record<Fault, readonly Expectation[]>} */
export const RECOVERS = {
  freeze: [PICTURE_BACK],
  repeat: [PICTURE_BACK],
  loss: [{ key: 'loss_gone', by_ms: 3_000, when: (facts) => (facts.loss ?? 0) < 0.01 }],
  delay: [
    { key: 'nearer', by_ms: 3_000, when: (facts, _before, first) => facts.age_ms !== null && first.age_ms !== null && facts.age_ms <= first.age_ms + 100 },
  ],
  cut: [
    { key: 'picture_back', by_ms: 3_000, when: live },
    { key: 'link_back', by_ms: 3_000, when: (facts) => facts.link === 'online' },
    { key: 'numbers_back', by_ms: 3_000, when: numbers },
    NOT_BACK,
    { key: 'stays_stopped', by_ms: 5_000, needs: (before) => before.word?.mrm === 'MRM_SUCCEEDED', holds: (facts) => facts.word === null || facts.word.speed_kmh < 0.2 },
  ],
  broker: [],
  grab: [{ key: 'freed', by_ms: 3_000, when: (facts) => facts.holder === '' }, NOT_BACK],
};

/** Numbers that were said after the broker was killed. @param {Facts} facts @param {Facts} before */
function numbersAnew(facts, before) {
  return facts.telemetry_ms !== null && facts.now_ms - facts.telemetry_ms > before.now_ms && facts.broker_pid !== null && facts.broker_pid !== before.broker_pid;
}

/**
 * Why a fault cannot be shown now; '' when it can.
 * @param {Fault} fault @param {Facts} facts
 */
export function blockedBy(fault, facts) {
  if (fault === 'repeat' && (facts.speed_kmh ?? 0) < MOVING_KMH) return 'stands';
  if (fault === 'grab' && facts.holder === SECOND) return 'has_it';
  if (['freeze', 'repeat'].includes(fault) && !facts.streaming) return 'no_picture';
  return '';
}

/**
 * The wish is on its way; looks are taken from now on.
 * @param {Fault} fault @param {string} vehicle @param {Facts} before @returns {Run}
 */
export function begin(fault, vehicle, before) {
  return { fault, vehicle, before, begun_ms: before.now_ms, at_ms: null, items: itemsOf(EXPECTED[fault], before, before), mended: null, mended_ms: null, recovery: [] };
}

/** The demo says when it was really done. @param {Run} run @param {number} at_ms @returns {Run} */
export function done(run, at_ms) {
  return { ...run, at_ms, items: run.items.map(later(run.fault, EXPECTED, at_ms - run.begun_ms)) };
}

/** The mending is on its way. @param {Run} run @param {Facts} facts @returns {Run} */
export function mending(run, facts) {
  const items = run.items.map((item) => (item.state === 'waiting' ? { ...item, state: /** @type {const} */ ('unjudged') } : item));
  return { ...run, items, mended: facts, mended_ms: null, recovery: itemsOf(RECOVERS[run.fault], facts, run.before) };
}

/** @param {Run} run @param {number} at_ms @returns {Run} */
export function mendedAt(run, at_ms) {
  const asked_ms = run.mended?.now_ms ?? at_ms;
  return { ...run, mended_ms: at_ms, recovery: run.recovery.map(later(run.fault, RECOVERS, at_ms - asked_ms)) };
}

/**
 * What was seen while the wish was on its way counts from when it was done.
 * @param {Fault} fault @param {Record<Fault, readonly Expectation[]>} rules @param {number} by_ms
 * @returns {(item: Item) => Item}
 */
function later(fault, rules, by_ms) {
  const measured = rules[fault].filter(({ measure }) => measure).map(({ key }) => key);
  return (item) => {
    if (item.ms === null || measured.includes(item.key)) return item;
    const ms = Math.max(0, item.ms - by_ms);
    return { ...item, ms, state: item.state === 'late' && ms <= item.by_ms ? 'seen' : item.state };
  };
}

/** Something is still waited for. @param {Run | null} run */
export function watching(run) {
  if (run === null) return false;
  const items = run.mended === null ? run.items : run.recovery;
  return items.some((item) => item.state === 'waiting');
}

/** Take in one look. @param {Run} run @param {Facts} facts @returns {Run} */
export function observe(run, facts) {
  const before = run.mended === null;
  const items = before ? run.items : run.recovery;
  const rules = before ? EXPECTED[run.fault] : RECOVERS[run.fault];
  const from_ms = before ? run.at_ms : run.mended_ms;
  const base = before ? run.before : /** @type {Facts} */ (run.mended);
  const next = items.map((item) => look(item, /** @type {Expectation} */ (rules.find(({ key }) => key === item.key)), facts, base, run.before, from_ms));
  if (next.every((item, at) => item === items[at])) return run;
  return before ? { ...run, items: next } : { ...run, recovery: next };
}

/** @param {readonly Expectation[]} rules @param {Facts} before @param {Facts} first @returns {readonly Item[]} */
function itemsOf(rules, before, first) {
  return rules.filter(({ needs }) => !needs || needs(before)).map(({ key, by_ms, limit_ms, when }) => ({
    key,
    by_ms: limit_ms ?? by_ms,
    kind: when ? 'when' : 'holds',
    state: when?.(before, before, first) ? 'before' : 'waiting',
    ms: null,
  }));
}

/** @param {Item} item @param {Expectation} rule @param {Facts} facts @param {Facts} before @param {Facts} first @param {number | null} from_ms @returns {Item} */
function look(item, rule, facts, before, first, from_ms) {
  if (item.state !== 'waiting') return item;
  // Until the demo has said when, only what is seen counts; times are known afterwards.
  const since_ms = facts.now_ms - (from_ms ?? before.now_ms);
  if (rule.holds) {
    if (from_ms === null) return item;
    if (!rule.holds(facts)) return { ...item, state: 'missed', ms: Math.max(0, since_ms) };
    return since_ms >= rule.by_ms ? { ...item, state: 'seen', ms: rule.by_ms } : item;
  }
  if (rule.when?.(facts, before, first)) {
    const ms = rule.measure ? rule.measure(facts) : Math.max(0, since_ms);
    return { ...item, state: ms !== null && ms <= item.by_ms ? 'seen' : 'late', ms };
  }
  return from_ms !== null && since_ms > rule.by_ms ? { ...item, state: 'missed' } : item;
}
