// @ts-check
/** Where the keyboard goes when something opens. */
import { useEffect, useRef } from 'preact/hooks';

/**
 * The focus goes to this part of the page when it opens, and Tab walks on from its beginning;
 * whoever came by a key goes on by keys. No button gets it: a second Enter presses nothing.
 *
 * @param {unknown} what it opens again when this changes
 * @returns {{current: HTMLElement | null}} for `ref`, beside `tabindex="-1"`
 */
export function useFocusHere(what) {
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => root.current?.focus({ preventScroll: true }), [what]);
  return root;
}
