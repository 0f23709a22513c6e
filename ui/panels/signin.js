// @ts-check
/** Sign-in: the only page without a session. */
import { useEffect, useState } from 'preact/hooks';
import { call } from '../shell/api.js';
import { signIn, wordsOf } from '../shell/session.js';
import { label } from '../core/labels.js';
import { html } from '../view.js';
import { Insecure } from './secure.js';

/** @param {{notice: string, onSignedIn: () => void}} props */
export function SignIn({ notice, onSignedIn }) {
  const [language, setLanguage] = useState(localStorage.getItem('enkan.language') === 'en' ? 'en' : 'ja');
  const [info, setInfo] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState(/** @type {import('../shell/session.js').Problem} */ ({ key: notice, values: {} }));
  const [busy, setBusy] = useState(false);
  /** @param {string} key @param {Record<string, string|number>} [values] */
  const t = (key, values) => label(/** @type {'ja'|'en'} */ (language), key, values);

  useEffect(() => {
    document.documentElement.lang = language;
    document.title = `${t('signin.title')} — ${t('app.name')}`;
    localStorage.setItem('enkan.language', language);
    /** @param {KeyboardEvent} event */
    const key = (event) => {
      if (event.code !== 'F2' || event.isComposing) return;
      event.preventDefault();
      setLanguage(language === 'ja' ? 'en' : 'ja');
    };
    window.addEventListener('keydown', key);
    return () => window.removeEventListener('keydown', key);
  }, [language]);

  useEffect(() => {
    call('/api/info').then(
      ({ status, body }) => status === 200 && setInfo(body),
      () => setProblem({ key: 'signin.unreachable', values: {} }),
    );
  }, []);

  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    setBusy(true);
    setProblem({ key: '', values: {} });
    const found = await signIn(String(form.get('name')), String(form.get('password')));
    setBusy(false);
    if (found === null) onSignedIn();
    else setProblem(found);
  };

  const demo = info?.demo && info.demo_account;
  return html`<main class="signin" data-testid="login">
    <${Insecure} t=${t} language=${language} brief=${true} />
    <form class="signin-card" data-testid="login-form" onSubmit=${submit}>
      <header>
        <h1>${t('app.name')}<small>${t('app.subtitle')}</small></h1>
        <button type="button" class="quiet" data-testid="language" title=${t('lang.switch')}
          onClick=${() => setLanguage(language === 'ja' ? 'en' : 'ja')}>${t('lang.other')}</button>
      </header>
      ${info && html`<p class="signin-site">${info.name}${info.version && html`<span>v${info.version}</span>`}</p>`}
      ${problem.key && html`<p class="problem" role="alert" data-testid="login-problem">${wordsOf(t, problem)}</p>`}
      <label>${t('signin.name')}
        <input name="name" data-testid="login-name" autocomplete="username" required maxlength="64" autofocus />
      </label>
      <label>${t('signin.password')}
        <input name="password" type="password" data-testid="login-password" autocomplete="current-password" required maxlength="256" />
      </label>
      <button class="primary" data-testid="login-submit" disabled=${busy}>${t(busy ? 'signin.busy' : 'signin.submit')}</button>
      ${info?.demo && html`<aside data-testid="login-demo">
        <strong>${t('signin.demo')}</strong>
        ${demo && html`<code data-testid="login-demo-account">${demo.name} / ${demo.password}</code>`}
        <span>${t('signin.demo_note')}</span>
      </aside>`}
    </form>
  </main>`;
}
