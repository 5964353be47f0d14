// The console's files as bytes. A new file in web/ needs its three lines here and its row in the table.
#include "CConsole.h"

// Part of C23, and known to the compilers long before they speak it by default.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char index_html[] = {
#embed "web/index.html"
};
static const unsigned char icon_svg[] = {
#embed "web/icon.svg"
};
static const unsigned char style_css[] = {
#embed "web/style.css"
};
static const unsigned char app_js[] = {
#embed "web/app.js"
};
static const unsigned char texts_js[] = {
#embed "web/texts.js"
};
static const unsigned char api_js[] = {
#embed "web/api.js"
};
static const unsigned char dom_js[] = {
#embed "web/dom.js"
};
static const unsigned char format_js[] = {
#embed "web/format.js"
};
static const unsigned char names_js[] = {
#embed "web/names.js"
};
static const unsigned char icons_js[] = {
#embed "web/icons.js"
};
static const unsigned char dialog_js[] = {
#embed "web/dialog.js"
};
static const unsigned char files_js[] = {
#embed "web/files.js"
};
static const unsigned char list_js[] = {
#embed "web/list.js"
};
static const unsigned char menu_js[] = {
#embed "web/menu.js"
};
static const unsigned char upload_js[] = {
#embed "web/upload.js"
};
static const unsigned char transfer_js[] = {
#embed "web/transfer.js"
};
static const unsigned char chunker_js[] = {
#embed "web/chunker.js"
};
static const unsigned char sha256_js[] = {
#embed "web/sha256.js"
};
static const unsigned char sort_js[] = {
#embed "web/sort.js"
};
static const unsigned char preview_js[] = {
#embed "web/preview.js"
};
static const unsigned char details_js[] = {
#embed "web/details.js"
};
static const unsigned char text_js[] = {
#embed "web/text.js"
};
static const unsigned char conflicts_js[] = {
#embed "web/conflicts.js"
};
static const unsigned char diff_js[] = {
#embed "web/diff.js"
};
static const unsigned char compare_js[] = {
#embed "web/compare.js"
};
static const unsigned char cluster_js[] = {
#embed "web/cluster.js"
};
static const unsigned char chart_js[] = {
#embed "web/chart.js"
};
static const unsigned char qr_js[] = {
#embed "web/qr.js"
};
static const unsigned char time_js[] = {
#embed "web/time.js"
};
static const unsigned char keys_js[] = {
#embed "web/keys.js"
};
static const unsigned char picker_js[] = {
#embed "web/picker.js"
};
static const unsigned char globs_js[] = {
#embed "web/globs.js"
};

static const struct PandoConsoleFile files[] = {
    {"index.html", index_html, sizeof index_html},
    {"icon.svg", icon_svg, sizeof icon_svg},
    {"style.css", style_css, sizeof style_css},
    {"app.js", app_js, sizeof app_js},
    {"texts.js", texts_js, sizeof texts_js},
    {"api.js", api_js, sizeof api_js},
    {"dom.js", dom_js, sizeof dom_js},
    {"format.js", format_js, sizeof format_js},
    {"names.js", names_js, sizeof names_js},
    {"icons.js", icons_js, sizeof icons_js},
    {"dialog.js", dialog_js, sizeof dialog_js},
    {"files.js", files_js, sizeof files_js},
    {"list.js", list_js, sizeof list_js},
    {"menu.js", menu_js, sizeof menu_js},
    {"upload.js", upload_js, sizeof upload_js},
    {"transfer.js", transfer_js, sizeof transfer_js},
    {"chunker.js", chunker_js, sizeof chunker_js},
    {"sha256.js", sha256_js, sizeof sha256_js},
    {"sort.js", sort_js, sizeof sort_js},
    {"preview.js", preview_js, sizeof preview_js},
    {"details.js", details_js, sizeof details_js},
    {"text.js", text_js, sizeof text_js},
    {"conflicts.js", conflicts_js, sizeof conflicts_js},
    {"diff.js", diff_js, sizeof diff_js},
    {"compare.js", compare_js, sizeof compare_js},
    {"cluster.js", cluster_js, sizeof cluster_js},
    {"chart.js", chart_js, sizeof chart_js},
    {"qr.js", qr_js, sizeof qr_js},
    {"time.js", time_js, sizeof time_js},
    {"keys.js", keys_js, sizeof keys_js},
    {"picker.js", picker_js, sizeof picker_js},
    {"globs.js", globs_js, sizeof globs_js},
};

const struct PandoConsoleFile *pando_console_file(size_t index) {
    return index < sizeof files / sizeof files[0] ? &files[index] : NULL;
}
