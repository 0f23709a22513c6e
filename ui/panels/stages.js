// @ts-check
/** The age of a picture, split by stage: shown on its badge, and always in a large picture. */

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
