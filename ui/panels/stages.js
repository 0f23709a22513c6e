// @ts-check
/** The age of a picture, split by stage: on its badge under the pointer, and beside a take-over. */
import { useEffect, useRef } from 'preact/hooks';
import { html } from '../view.js';

/**
 * Draw into `root`, touching the document only where something changed.
 *
 * @param {HTMLElement} root
 * @param {(key: string) => string} t
 * @param {readonly import('../core/stages.js').StageTime[]} stages
 */
export function paintStages(root, t, stages) {
  const longest = Math.max(50, ...stages.map(({ ms }) => ms));
  while (root.children.length > stages.length) root.lastElementChild?.remove();
  stages.forEach(({ stage, ms, uncertainty_ms }, at) => {
    const row = /** @type {HTMLElement} */ (root.children[at] ?? root.appendChild(emptyRow()));
    const [name, bar, value] = /** @type {HTMLElement[]} */ ([...row.children]);
    write(name, t(`stage.${stage}`));
    write(value, `${Math.round(ms)} ms ±${Math.max(1, Math.ceil(uncertainty_ms))}`);
    row.dataset.stage = stage;
    row.dataset.ms = ms.toFixed(1);
    bar.style.setProperty('--share', (Math.max(0, ms) / longest).toFixed(3));
  });
}

function emptyRow() {
  const row = document.createElement('div');
  row.append(document.createElement('span'), document.createElement('i'), document.createElement('b'));
  return row;
}

/** @param {HTMLElement} node @param {string} text */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Beside a large picture, so that nothing of it is covered. @param {{desk: import('../shell/console.js').Console, vehicle: any}} props */
export const Stages = ({ desk, vehicle }) => {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  void desk.tick.value;
  useEffect(() => {
    if (ref.current) paintStages(ref.current, desk.t, desk.media.of(vehicle)?.stages ?? []);
  });
  return html`<div class="stages" ref=${ref} data-testid="stages"></div>`;
};
