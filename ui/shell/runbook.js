// @ts-check
/** A runbook page of the hub, for a sheet of the console. */

/**
 * The page's own part of the document, or null if it cannot be had. It is text that the hub
 * has escaped; scripts would not run from there.
 *
 * @param {string} language
 * @param {string} key
 * @returns {Promise<Element | null>}
 */
export async function loadRunbook(language, key) {
  let answer;
  try {
    answer = await fetch(`/runbooks/${language}/${key}`, { credentials: 'same-origin', signal: AbortSignal.timeout(5_000) });
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    return page.querySelector('main.runbook');
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) return null;
    throw error;
  }
}
