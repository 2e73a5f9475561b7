// Sends on a form that only travels through the browser. Without scripts its button does.
document.querySelector("form[data-submit]")?.submit();
