// @ts-check
/** Priority: filled chip with shape and digit, never colour alone. */
import { html } from '../view.js';

/** @type {Record<number, string>} */
export const SHAPES = { 1: '◆', 2: '▲', 3: '■' };

/** @param {{priority: number, flash?: boolean, title?: string}} props */
export function Chip({ priority, flash = false, title }) {
  return html`<span class=${`chip p${priority} ${flash && priority < 3 ? 'flash' : ''}`} title=${title}>${
    SHAPES[priority] ?? '■'}${priority}</span>`;
}
