// @ts-check
/** 壊してみる Break it: faults of a demo, what must happen, and what really did. */
import { useEffect } from 'preact/hooks';
import { dashed, kmh, seconds } from '../core/format.js';
import { blockedBy, EXPECTED, FAULTS, MENDS_ITSELF, RECOVERS } from '../core/rehearsal.js';
import { watched } from '../core/select.js';
import { html } from '../view.js';
import { Tile } from './tile.js';

/** @typedef {import('../core/rehearsal.js').Item} Item */

const MARKS = { waiting: '○', seen: '✓', late: '✗', missed: '✗', before: '–', unjudged: '–' };

/** @param {{desk: import('../shell/console.js').Console, language: string}} props */
export function RehearsalPanel({ desk, language }) {
  const { t, rehearsal } = desk;
  useEffect(() => {
    rehearsal.enter();
    return () => rehearsal.leave();
  }, [rehearsal]);
  const state = desk.state.value;
  const vehicles = watched(state);
  const id = state.focused !== null && vehicles.includes(state.focused) ? state.focused : vehicles[0];
  if (!rehearsal.offered.value || !id) return html`<p class="empty big">—</p>`;
  return html`<div class="rehearsal" data-testid="rehearsal">
    <section class="rehearsal-left">
      <h2>${t('rehearsal.title')}</h2>
      <p class="rehearsal-about">${t('rehearsal.about')}</p>
      <div class="rehearsal-vehicles" role="group" aria-label=${t('rehearsal.vehicle')}>
        ${vehicles.map((one) => html`<button key=${one} data-testid=${`rehearse-${dashed(one)}`} aria-pressed=${String(one === id)}
          onClick=${() => desk.focus(one)}>${desk.nameOf(one)}</button>`)}
      </div>
      <ul class="faults">${FAULTS.map((fault) => html`<${FaultRow} key=${fault} desk=${desk} fault=${fault} vehicle=${id} />`)}</ul>
      <${Outcome} desk=${desk} vehicle=${id} />
    </section>
    <section class="rehearsal-right">
      <${Tile} key=${id} desk=${desk} language=${language} number=${vehicles.indexOf(id) + 1} vehicle=${state.vehicles[id]} focused=${true} />
      <${OwnWord} desk=${desk} vehicle=${id} />
    </section>
  </div>`;
}

/** @param {{desk: import('../shell/console.js').Console, fault: import('../core/rehearsal.js').Fault, vehicle: string}} props */
function FaultRow({ desk, fault, vehicle }) {
  const { t, rehearsal } = desk;
  void desk.tick.value;
  const since_ms = rehearsal.brokenSince(fault, vehicle);
  const busy = rehearsal.busy.value;
  const blocked = since_ms === null ? blockedBy(fault, rehearsal.facts(vehicle)) : '';
  const chosen = rehearsal.chosen.value === fault;
  return html`<li class=${`fault ${chosen ? 'chosen' : ''} ${since_ms === null ? '' : 'broken'}`} data-testid=${`fault-${fault}`}
      data-broken=${String(since_ms !== null)} data-blocked=${blocked}>
    <button class="quiet fault-words" aria-pressed=${String(chosen)} onClick=${() => (rehearsal.chosen.value = fault)}><b>${t(`rehearsal.fault.${fault}`)}</b>
      <small>${since_ms !== null ? t('rehearsal.since', { time: seconds(desk.hubNow() - since_ms) })
        : blocked ? t(`rehearsal.blocked.${blocked}`) : t(`rehearsal.means.${fault}`)}</small></button>
    ${since_ms === null
      ? html`<button data-testid=${`break-${fault}`} disabled=${busy !== null || blocked !== ''}
          onClick=${() => void rehearsal.break(fault, vehicle)}>${busy === fault ? t('rehearsal.working') : t('rehearsal.break')}</button>`
      : html`<button class="primary" data-testid=${`mend-${fault}`} disabled=${busy !== null}
          onClick=${() => void rehearsal.mend(fault, vehicle)}>${busy === fault ? t('rehearsal.working') : t('rehearsal.mend')}</button>`}
  </li>`;
}

/** What must happen, and what was observed. @param {{desk: import('../shell/console.js').Console, vehicle: string}} props */
function Outcome({ desk, vehicle }) {
  const { t, rehearsal } = desk;
  const fault = rehearsal.chosen.value;
  const found = rehearsal.runs.value[fault];
  const run = found?.vehicle === vehicle ? found : null;
  const problem = rehearsal.problem.value;
  const facts = rehearsal.facts(vehicle);
  const items = run?.items ?? outlook(EXPECTED[fault], facts);
  const recovery = run !== null && run.recovery.length > 0 ? run.recovery : outlook(RECOVERS[fault], facts);
  return html`<div class="outcome" data-testid="outcome" data-fault=${fault} aria-live="polite">
    ${problem && html`<p class="mark p3" role="alert" data-testid="rehearsal-problem" data-reason=${problem}>■3 ${problem === 'demo_gone' ? t('rehearsal.problem.demo_gone') : `${t('rehearsal.problem.other')} (${problem})`}</p>`}
    <h3>${t(`rehearsal.fault.${fault}`)} — ${t('rehearsal.must')}</h3>
    <${Items} desk=${desk} items=${items} begun=${run !== null && run.items.length > 0} />
    ${fault === 'grab' && run === null && !facts.mine && html`<p class="hint">${t('rehearsal.hint.grab')}</p>`}
    <h3>${t('rehearsal.recovery')}</h3>
    ${MENDS_ITSELF.includes(fault) ? html`<p class="hint">${t('rehearsal.self')}</p>`
      : html`<${Items} desk=${desk} items=${recovery} begun=${run?.mended != null} />`}
  </div>`;
}

/** What would be expected. @param {readonly import('../core/rehearsal.js').Expectation[]} rules @param {import('../core/rehearsal.js').Facts} facts @returns {Item[]} */
function outlook(rules, facts) {
  return rules.filter(({ needs }) => !needs || needs(facts))
    .map(({ key, by_ms, limit_ms, when }) => ({ key, by_ms: limit_ms ?? by_ms, kind: when ? 'when' : 'holds', state: 'waiting', ms: null }));
}

/** @param {{desk: import('../shell/console.js').Console, items: readonly Item[], begun: boolean}} props */
function Items({ desk, items, begun }) {
  const { t } = desk;
  return html`<ul class=${`expected ${begun ? '' : 'outlook'}`}>${items.map((item) => html`<li key=${item.key} class=${item.state} data-testid=${`expect-${item.key}`}
      data-state=${begun ? item.state : 'idle'} data-ms=${item.ms === null ? '' : Math.round(item.ms)}>
    <span class="tick" aria-hidden="true">${begun ? MARKS[item.state] : '·'}</span>
    <span>${t(`rehearsal.expect.${item.key}`)}</span>
    <small>${t(item.kind === 'when' ? 'rehearsal.within' : 'rehearsal.for', { time: seconds(item.by_ms) })}</small>
    <b>${begun ? verdict(t, item) : ''}</b>
  </li>`)}</ul>`;
}

/** @param {import('../shell/console.js').Console['t']} t @param {Item} item */
function verdict(t, item) {
  const time = item.ms === null ? '' : seconds(item.ms);
  if (item.state === 'seen') return time;
  if (item.state === 'late') return `${time} ${t('rehearsal.item.late')}`;
  if (item.state === 'missed' && item.kind === 'holds') return t('rehearsal.item.broke', { time });
  return t(`rehearsal.item.${item.state}`);
}

/** What the vehicle says of itself, past every link. @param {{desk: import('../shell/console.js').Console, vehicle: string}} props */
function OwnWord({ desk, vehicle }) {
  const { t } = desk;
  const word = desk.rehearsal.standing.value?.words?.[vehicle];
  void desk.tick.value;
  return html`<div class="own-word" data-testid="own-word" data-mrm=${word?.mrm ?? ''} data-kmh=${word ? (word.speed_mps * 3.6).toFixed(1) : ''}>
    <h3>${t('rehearsal.word')}</h3>
    ${word ? html`<dl>
      <div><dt>${t('rehearsal.word_speed')}</dt><dd>${kmh(word.speed_mps)} km/h</dd></div>
      <div><dt>${t('rehearsal.word_limit')}</dt><dd>${kmh(word.limit_mps)} km/h</dd></div>
      <div><dt>MRM</dt><dd>${word.mrm === 'NORMAL' ? '—' : t(`mrm.${word.mrm}`)}</dd></div>
      <div><dt>${t('rehearsal.word_hub')}</dt><dd>${t(word.link_up ? 'rehearsal.word_yes' : 'rehearsal.word_no')}</dd></div>
      <div><dt>${t('rehearsal.word_age')}</dt><dd>${seconds(desk.hubNow() - word.at_ns / 1e6)}</dd></div>
    </dl>` : html`<p>${t('rehearsal.word_none')}</p>`}
    <p class="hint">${t('rehearsal.word_note')}</p>
  </div>`;
}
