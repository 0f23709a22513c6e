// @ts-check
/** Over plain http: what does not work, that everyone can read along, and the way out. */
import { withheld } from '../core/secure.js';
import { securityContext } from '../shell/secure.js';
import { html } from '../view.js';

/**
 * @param {{t: (key: string, values?: Record<string, string|number>) => string, language: 'ja'|'en', brief?: boolean}} props
 *   `brief`: on a page without features yet.
 */
export function Insecure({ t, language, brief = false }) {
  const context = securityContext();
  if (context.secure) return null;
  const missing = withheld(context);
  const names = missing.map((one) => t(`secure.${one}`)).join(language === 'ja' ? '・' : ', ');
  return html`<p class="banner note insecure" data-testid="banner-insecure" data-missing=${missing.join(' ')}>
    <span><b>${t('secure.plain')}</b> ${brief || !names ? '' : t('secure.missing', { names })}</span>
    <a href=${`/help/https/${language}`} target="_blank" rel="noopener" data-testid="https-help">${t('secure.help')}</a></p>`;
}
