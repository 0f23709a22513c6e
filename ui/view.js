// @ts-check
/**
 * The binding of the view libraries, in one place.
 *
 * A panel that reads signals is drawn again only when one of them or one of its
 * properties changed: `@preact/signals` sees to that by itself.
 */
import { h, render } from 'preact';
import htm from 'htm';
import '@preact/signals';

export { render };
export const html = htm.bind(h);
