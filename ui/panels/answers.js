// @ts-check
/** Answer cards, the gentlest first; a card that cannot be played says why. */
import { useState } from 'preact/hooks';
import { cardsFor, MAX_DECISION_AGE_MS, orderBlockedBy, WAIT_S } from '../core/answers.js';
import { dashed, seconds } from '../core/format.js';
import { html } from '../view.js';

/** Why a press did nothing stays readable this long. */
const PRESS_NOTE_MS = 4_000;

/** `A`, `B`, … as on the map. @param {readonly any[]} options @param {any} option */
export function letterOf(options, option) {
  return String.fromCharCode(65 + options.indexOf(option));
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, request: any}} props */
export const Answers = ({ desk, vehicle, request }) => {
  const { t } = desk;
  return html`<section class="box answers"><h3>${t('takeover.decide')}</h3>
    ${!request && html`<small>${t('takeover.no_request')}</small>`}
    ${cardsFor(request).map((card) => html`<${AnswerCard} key=${card.kind + (card.option?.option_id ?? '')} desk=${desk} vehicle=${vehicle}
      card=${card} options=${request?.options ?? []} />`)}
  </section>`;
};

/** @param {import('../core/answers.js').Card} card @param {string} id */
function testidOf(card, id) {
  if (card.kind === 'resume') return `allow-${id}`;
  return card.option ? `answer-${card.kind}-${card.option.option_id}` : `answer-${card.kind}-${id}`;
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, card: any, options: any}} props */
const AnswerCard = ({ desk, vehicle, card, options }) => {
  const { t } = desk;
  void desk.tick.value;
  const id = dashed(vehicle.id);
  const picture = desk.picture(vehicle.id);
  const why = orderBlockedBy(desk.state.value, vehicle.id, card.kind, picture);
  const [pressed, setPressed] = useState({ why: '', at_ms: 0 });
  /** The picture may have gone since the button was drawn; then the press says so. */
  const play = () => {
    const now = orderBlockedBy(desk.state.peek(), vehicle.id, card.kind, desk.picture(vehicle.id), MAX_DECISION_AGE_MS);
    setPressed({ why: now, at_ms: performance.now() });
    if (now === '') desk.orders.order(vehicle.id, card.body);
  };
  const shown = why || (desk.tick.value - pressed.at_ms < PRESS_NOTE_MS ? pressed.why : '');
  const name = t(`answer.${card.kind}`, { n: WAIT_S, letter: card.option ? letterOf(options, card.option) : '' });
  const main = card.kind === 'resume';
  return html`<button class=${`answer ${main ? 'allow' : ''}`} data-testid=${testidOf(card, id)} disabled=${why !== ''} data-blocked=${why} onClick=${play}>
    <b>${name}</b>
    ${card.option && html`<span>${desk.say(card.option.text)}</span>`}
    ${main && picture.age.ok && why === '' && html`<small>${t('tile.delay')} ${seconds(picture.age.age_ms)}</small>`}
    ${shown !== '' && html`<small class="why-not" role="status" data-testid=${main ? `blocked-${id}` : undefined}>${t(`blocked.${shown}`)}</small>`}
  </button>`;
};
