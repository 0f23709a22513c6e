// @ts-check
/** Arrow keys in lists of rows with buttons. */

/**
 * Up and down walk between rows, to their first button; left and right within one row.
 *
 * @param {string} rows selector of a row
 * @returns {(event: KeyboardEvent) => void}
 */
export function walkRows(rows) {
  return (event) => {
    const at = event.target;
    if (!(at instanceof HTMLElement) || event.isComposing || !(event.currentTarget instanceof HTMLElement)) return;
    const row = at.closest(rows);
    /** @type {HTMLElement | null | undefined} */
    let next;
    if (event.code === 'ArrowDown' || event.code === 'ArrowUp') {
      if (at instanceof HTMLSelectElement || at instanceof HTMLTextAreaElement) return;
      const all = [...event.currentTarget.querySelectorAll(rows)].filter((one) => one.querySelector('button, input'));
      const to = (row ? all.indexOf(row) : -1) + (event.code === 'ArrowDown' ? 1 : -1);
      next = all[Math.max(0, Math.min(all.length - 1, to))]?.querySelector('button');
    } else if ((event.code === 'ArrowLeft' || event.code === 'ArrowRight') && row && !(at instanceof HTMLInputElement && at.value !== '')) {
      const parts = /** @type {HTMLElement[]} */ ([...row.querySelectorAll('button, input')]);
      next = parts[parts.indexOf(at) + (event.code === 'ArrowRight' ? 1 : -1)];
    }
    if (!next) return;
    next.focus();
    event.preventDefault();
  };
}
