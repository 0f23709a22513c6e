// @ts-check
/** Sheets over the alarm list: put an alarm aside, read its runbook. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { SHELVES_S } from '../core/alarmlist.js';
import { loadRunbook } from '../shell/runbook.js';
import { html } from '../view.js';
import { alarmText, whereOf } from './alarmline.js';

const SHORTEST_REASON = 3;

/** Shelve for a while, or take out of service: both need a reason. @param {any} props */
export function PutAside({ desk, item, out, close }) {
  const { t } = desk;
  const [reason, setReason] = useState('');
  const [for_s, setFor] = useState(SHELVES_S[1]);
  const text = alarmText(desk, item);
  const ready = reason.trim().length >= SHORTEST_REASON && desk.state.value.socket === 'open';
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    if (!ready) return;
    if (out) desk.setAlarmService(item.id, false, reason.trim());
    else desk.shelve(item.id, reason.trim(), for_s);
    close();
  };
  return html`<form class="sheet alarm-sheet" role="dialog" aria-label=${t(out ? 'alarm.take_out' : 'alarm.shelve')} data-testid="put-aside" onSubmit=${submit}>
    <h2>${t(out ? 'alarm.do_out' : 'alarm.do_shelve')}: ${text.title} <small>${whereOf(desk, item)}</small></h2>
    <label>${t('alarm.reason')}
      <input data-testid="aside-reason" maxlength="200" value=${reason} autofocus onInput=${(/** @type {any} */ event) => setReason(event.target.value)} /></label>
    ${out ? html`<p>${t('alarm.out_note')}</p>` : html`<div class="alarm-times" role="group" aria-label=${t('alarm.for')}><span>${t('alarm.for')}</span>
      ${SHELVES_S.map((value) => html`<button type="button" key=${value} data-testid=${`aside-${value}`} aria-pressed=${String(value === for_s)}
        onClick=${() => setFor(value)}>${value < 3_600 ? t('alarm.minutes', { n: value / 60 }) : t('alarm.hours', { n: value / 3_600 })}</button>`)}</div>
    <p>${t('alarm.shelve_note')}</p>`}
    <footer><button type="button" data-testid="aside-cancel" onClick=${close}>${t('alarm.close')}</button>
      <button class="primary" data-testid="aside-do" disabled=${!ready}>${t(out ? 'alarm.do_out' : 'alarm.do_shelve')}</button></footer>
  </form>`;
}

/** The runbook page of an alarm, as the hub serves it. @param {any} props */
export function Runbook({ desk, alarmKey, close }) {
  const { t } = desk;
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [failed, setFailed] = useState(false);
  const language = desk.language.value;
  useEffect(() => {
    let wanted = true;
    loadRunbook(language, alarmKey).then((page) => {
      if (!wanted) return;
      setFailed(page === null);
      place.current?.replaceChildren(...(page === null ? [] : [page]));
    });
    return () => { wanted = false; };
  }, [language, alarmKey]);
  return html`<section class="sheet alarm-sheet" role="dialog" aria-label=${t('alarm.runbook')} data-testid="runbook-sheet">
    ${failed && html`<p class="problem">${t('alarm.runbook_failed')}</p>`}
    <div ref=${place}></div>
    <footer><button data-testid="runbook-close" onClick=${close}>${t('alarm.close')}</button></footer>
  </section>`;
}
