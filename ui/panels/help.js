// @ts-check
/** F1: the keys. */
import { html } from '../view.js';
import { useFocusHere } from './focus.js';

const ROWS = [
  ['Space', 'help.stop'], ['Shift+Space', 'help.emergency'], ['L', 'help.control'], ['Enter', 'help.enter'], ['1–9', 'help.tiles'], ['Tab', 'help.tab'],
  ['A', 'help.ack'], ['S', 'help.silence'], ['M', 'help.map'], ['C', 'help.camera'], ['R', 'help.rewind'], ['T', 'help.talk'], ['D', 'help.duties'], ['F', 'help.fleet'], ['G', 'help.history'], ['H', 'help.handover'],
  ['Esc', 'help.escape'], ['Pad', 'help.pad'], ['F1', 'help.title'], ['F2', 'help.language'],
];

/** @param {{desk: import('../shell/console.js').Console}} props */
export function Help({ desk }) {
  const { t } = desk;
  const root = useFocusHere('help');
  return html`<section class="sheet" role="dialog" aria-label=${t('help.title')} tabindex="-1" ref=${root} data-testid="help">
    <h2>${t('help.title')}</h2>
    <dl class="keys">${ROWS.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${t(what)}</dd></div>`)}</dl>
    <footer><button onClick=${() => (desk.help.value = false)}>${t('help.close')}</button></footer>
  </section>`;
}
