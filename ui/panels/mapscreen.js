// @ts-check
/** The map alone, large. */
import { html } from '../view.js';
import { FleetMap } from './map.js';

/** @param {{desk: import('../shell/console.js').Console, language: 'ja'|'en'}} props */
export const MapScreen = ({ desk, language }) => html`<div class="map-screen"><${FleetMap} desk=${desk} language=${language} /></div>`;
