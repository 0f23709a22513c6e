/* What is wrong with the screen as it is shown now, in words. Needs axe-core. */
globalThis.judge = {
  /** Serious and critical accessibility faults. @param {boolean} coloursOnly */
  async axe(coloursOnly) {
    const runOnly = coloursOnly
      ? { type: 'rule', values: ['color-contrast'] }
      : { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
    const { violations } = await globalThis.axe.run(document, { runOnly, resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => ['serious', 'critical'].includes(impact))
      .flatMap(({ id, nodes }) => nodes.map(({ target, any }) => `${id}: ${target.join(' ')} ${any[0]?.message ?? ''}`));
  },

  /** Controls that are hard to hit. @param {number} least @param {number} safe @param {string} safety which have to be `safe` high */
  targets(least, safe, safety) {
    const controls = 'button, a[href], input, select, textarea, summary, [role=button], [role=tab]';
    return seen(controls).flatMap((one) => {
      const { width, height } = one.getBoundingClientRect();
      const high = one.matches('button') && one.matches(safety) ? safe : least;
      if (width >= least - 0.5 && height >= high - 0.5) return [];
      return [`${nameOf(one)}: ${width.toFixed(0)} × ${height.toFixed(0)} px, wanted ${high}`];
    });
  },

  /** What moves although less motion was asked for, and what should flash and shows no border. */
  motion() {
    const running = document.getAnimations().filter(({ playState }) => playState === 'running');
    return [
      ...running.map(({ effect }) => `moves: ${nameOf(effect.target)}`),
      ...seen('.chip.flash').filter((chip) => getComputedStyle(chip).boxShadow === 'none').map((chip) => `no border: ${nameOf(chip)}`),
    ];
  },

  /** What leaves the window or its button. */
  overflow() {
    return seen('.strip, .strip > *, .alarmline, .alarmline > *, .stop-focused, button').flatMap((one) => {
      const { left, right } = one.getBoundingClientRect();
      const found = [];
      if (left < -1 || right > innerWidth + 1) found.push(`beyond the window: ${nameOf(one)}`);
      const cut = getComputedStyle(one).overflowX !== 'visible';
      if (one.matches('button') && !cut && one.scrollWidth > one.clientWidth + 2) found.push(`words beyond their button: ${nameOf(one)}`);
      return found;
    });
  },

  /** Where colour is not the console's own: left, top, right, bottom of pictures and maps. */
  boxes() {
    return [...document.querySelectorAll('.picture, .map-host')]
      .map((one) => one.getBoundingClientRect())
      .map(({ left, top, right, bottom }) => [left, top, right, bottom].map(Math.round));
  },
};

/** @param {string} selector */
function seen(selector) {
  return [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility({ visibilityProperty: true }));
}

/** @param {any} one */
function nameOf(one) {
  return one.dataset?.testid || one.textContent.trim().slice(0, 30) || one.className;
}
