// Loaded after require.js and before html-manager: everything that a widget needs comes from
// this folder, so that sliders work without a network and from file://.
(function () {
  const here = new URL(".", document.currentScript.src).href;

  window.requirejs.config({
    baseUrl: here,
    waitSeconds: 60,
    paths: {
      anywidget: "vendor/anywidget/anywidget",
      // These two are defined in embed-amd.js; the paths tell them where their fonts are.
      "@jupyter-widgets/html-manager": "vendor/html-manager/html-manager",
      "@jupyter-widgets/html-manager/dist/libembed-amd": "vendor/html-manager/libembed-amd",
    },
  });

  // The theme's icon script turns every <i class="fa …"> into an <svg>, also those that widgets
  // add later and then look for (the Play button stops working).  Leave later ones alone.
  window.FontAwesomeConfig = Object.assign({ observeMutations: false }, window.FontAwesomeConfig);
})();
