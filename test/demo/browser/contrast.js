// Yields what is wrong with the page for those who see little, or have a small
// screen: text below the contrast of WCAG AA, fields without a label, buttons
// without text, something wider than the screen.
(() => {
  const faults = [];
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let read = 0;
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!own || !element.checkVisibility()) continue;
    read += 1;
    const [a, b] = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)} of ${element.textContent.slice(0, 40)}`);
  }
  if (read < 5) faults.push(`only ${read} texts to read`);
  for (const input of document.querySelectorAll('input:not([type=hidden])')) {
    if (!input.labels.length || !input.labels[0].textContent.trim()) faults.push(`no label at ${input.name}`);
  }
  for (const button of document.querySelectorAll('button, a')) if (!button.textContent.trim()) faults.push('a button without text');
  for (const target of document.querySelectorAll('button, a, input:not([type=hidden])')) {
    target.focus({ focusVisible: true });
    if (getComputedStyle(target).outlineStyle === 'none') faults.push(`no focus to be seen at ${target.textContent || target.name}`);
    target.blur();
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) faults.push('wider than the screen');
  return faults;
})();
