/* The skin writes the name of a chosen file into the first text box it finds, to show it. In our forms that is somebody's
   answer, such as the utility's reference: the skin does not get to hear of the choice. The browser shows the name itself. */
document.addEventListener(
  "change",
  (event) => {
    if (event.target.matches(".sy-form input[type=file]")) {
      event.stopPropagation();
    }
  },
  true,
);
