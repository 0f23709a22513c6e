// @ts-check
/** Start: sign in if needed, then the console; back to sign-in when the session ends. */
import { html, render } from './view.js';
import { call, Unreachable } from './shell/api.js';
import { Console } from './shell/console.js';
import { bindKeys } from './shell/keyboard.js';
import { Frame } from './panels/frame.js';
import { SignIn } from './panels/signin.js';

const root = /** @type {HTMLElement} */ (document.getElementById('app'));
/** @type {Console | null} */
let running = null;
let unbindKeys = () => {};

/** @param {string} notice a key of the labels, or '' */
function showSignIn(notice) {
  unbindKeys();
  running?.stop();
  running = null;
  render(null, root);
  render(html`<${SignIn} notice=${notice} onSignedIn=${showConsole} />`, root);
}

function showConsole() {
  const desk = new Console(() => {
    if (running === desk) showSignIn('signin.expired');
  });
  running = desk;
  // For developer tools and measurements: what this console knows, and nothing it may not do.
  /** @type {any} */ (globalThis).enkan = desk;
  unbindKeys = bindKeys(desk);
  render(null, root);
  render(html`<${Frame} desk=${desk} />`, root);
  desk.start();
}

async function start() {
  try {
    const { status } = await call('/api/session');
    if (status === 200) showConsole();
    else showSignIn('');
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    showSignIn('signin.unreachable');
  }
}

void start();
