"""The page's icons as inline SVG on a 20 x 20 grid: stroke width 1.5, round ends, current text colour."""

from __future__ import annotations

from html import escape

SHAPES: dict[str, str] = {
    "alert": '<circle cx="10" cy="10" r="7.5"/><path d="M10 6.2v4.4M10 13.6v.1"/>',
    "again": '<path d="M3.6 4v4h4M3.9 8A6.7 6.7 0 1 1 3.3 10.8"/>',
    "bell": '<path d="M5 14V9a5 5 0 0 1 10 0v5l1.2 1.5H3.8zM8.4 17.6h3.2"/>',
    "check": '<path d="m4 10.6 3.8 3.8L16 6"/>',
    "chevron": '<path d="m5.5 8 4.5 4.5L14.5 8"/>',
    "close": '<path d="m5 5 10 10M15 5 5 15"/>',
    "compare": '<rect x="2.5" y="4" width="15" height="12" rx="2.2"/><path d="M10 2.2v15.6"/>'
    '<path d="m6.8 8.2-2 1.8 2 1.8M13.2 8.2l2 1.8-2 1.8"/>',
    "copy": '<rect x="7" y="7" width="10" height="10" rx="2"/>'
    '<path d="M13 7V5a2 2 0 0 0-2-2H5a2 2 0 0 0-2 2v6a2 2 0 0 0 2 2h2"/>',
    "dice": '<rect x="3" y="3" width="14" height="14" rx="3"/>'
    '<path d="M7 7v.1M13 13v.1M13 7v.1M7 13v.1M10 10v.1" stroke-width="2"/>',
    "download": '<path d="M10 3v9.5M6 8.8l4 4 4-4M3.5 16.8h13"/>',
    "extend": '<rect x="2.5" y="5" width="9" height="10" rx="2"/><path d="M14 10h4.5M16.2 7.7v4.6"/>',
    "film": '<rect x="3" y="3.5" width="14" height="13" rx="2.5"/><path d="M6.5 3.5v13M13.5 3.5v13'
    'M3 7.8h3.5M3 12.2h3.5M13.5 7.8H17M13.5 12.2H17"/>',
    "frame": '<path d="M17 9V5.5A2.5 2.5 0 0 0 14.5 3h-9A2.5 2.5 0 0 0 3 5.5v9A2.5 2.5 0 0 0 5.5 17H9'
    'M3.6 15.2 9 10l2 2M14.5 17.5v-6M12 13.8l2.5-2.5 2.5 2.5"/><circle cx="7.5" cy="7.3" r="1.4"/>',
    "frame_back": '<path d="M13.5 4.5v11L6 10z"/><path d="M16.5 4.5v11"/>',
    "frame_next": '<path d="M6.5 4.5v11L14 10z"/><path d="M3.5 4.5v11"/>',
    "fullscreen": '<path d="M3 7V4.5A1.5 1.5 0 0 1 4.5 3H7M13 3h2.5A1.5 1.5 0 0 1 17 4.5V7'
    'M17 13v2.5a1.5 1.5 0 0 1-1.5 1.5H13M7 17H4.5A1.5 1.5 0 0 1 3 15.5V13"/>',
    "window": '<path d="M7 3v2.5A1.5 1.5 0 0 1 5.5 7H3M13 3v2.5A1.5 1.5 0 0 0 14.5 7H17'
    'M17 13h-2.5a1.5 1.5 0 0 0-1.5 1.5V17M7 17v-2.5A1.5 1.5 0 0 0 5.5 13H3"/>',
    "gem": '<path d="M6 3.5h8l3.5 4.3L10 17 2.5 7.8zM2.5 7.8h15M7.4 7.8 10 17l2.6-9.2L10 3.5z"/>',
    "graph": '<rect x="2.5" y="3" width="5.5" height="5" rx="1.4"/>'
    '<rect x="12" y="12" width="5.5" height="5" rx="1.4"/><path d="M8 5.5h2.2a2 2 0 0 1 2 2v4.5"/>',
    "grid": '<path d="M4.5 3H9v6H3V4.5A1.5 1.5 0 0 1 4.5 3zM11 3h4.5A1.5 1.5 0 0 1 17 4.5V9h-6z'
    'M3 11h6v6H4.5A1.5 1.5 0 0 1 3 15.5zM11 11h6v4.5a1.5 1.5 0 0 1-1.5 1.5H11z"/>',
    "link": '<path d="M8.2 11.8a3.4 3.4 0 0 0 4.8 0l3-3a3.4 3.4 0 0 0-4.8-4.8l-1.1 1.1'
    'M11.8 8.2a3.4 3.4 0 0 0-4.8 0l-3 3a3.4 3.4 0 0 0 4.8 4.8l1.1-1.1"/>',
    "loop": '<path d="M3.5 9V7.6A2.6 2.6 0 0 1 6.1 5H16M13.4 2.4 16 5l-2.6 2.6'
    'M16.5 11v1.4a2.6 2.6 0 0 1-2.6 2.6H4M6.6 17.6 4 15l2.6-2.6"/>',
    "more": '<path d="M4.5 10h.1M10 10h.1M15.5 10h.1" stroke-width="2.4"/>',
    "missing": '<circle cx="10" cy="10" r="7" stroke-dasharray="2.6 2.9"/>',
    "moon": '<path d="M16.6 11.9A7 7 0 0 1 8.1 3.4a7 7 0 1 0 8.5 8.5z"/>',
    "muted": '<path d="M3 7.6v4.8h3l4 3.4V4.2l-4 3.4zM13.4 8l4 4M17.4 8l-4 4"/>',
    "pause": '<path d="M6 4h2.6v12H6zM11.4 4H14v12h-2.6z" fill="currentColor" stroke="none"/>',
    "pen": '<path d="m4 16 .8-3.6L13.4 3.8a1.9 1.9 0 0 1 2.8 2.8l-8.6 8.6zM11.8 5.4l2.8 2.8"/>',
    "settings": '<path d="M3 6h7M14.5 6H17M3 14h2.5M10 14h7"/><circle cx="12.2" cy="6" r="2.2"/>'
    '<circle cx="7.8" cy="14" r="2.2"/>',
    "star": '<path d="m10 3 2.2 4.5 4.9.7-3.6 3.5.9 4.9L10 14.3l-4.4 2.3.9-4.9-3.6-3.5 4.9-.7z"/>',
    "picture": '<path d="M11 3.5H5.5A2.5 2.5 0 0 0 3 6v8.5A2.5 2.5 0 0 0 5.5 17H14a2.5 2.5 0 0 0 2.5-2.5V9'
    'M3.6 15.7l6.6-6 6 6.2M15 2.4v5M12.5 4.9h5"/><circle cx="7.3" cy="7.6" r="1.5"/>',
    "pin": '<path d="M7 3h6M8 3v5.2L5.2 11.5v1h9.6v-1L12 8.2V3M10 12.5V17.5"/>',
    "play": '<path d="M5.5 4.2v11.6c0 .8.8 1.2 1.4.8l9-5.8c.6-.4.6-1.2 0-1.6l-9-5.8c-.6-.4-1.4 0-1.4.8z"'
    ' fill="currentColor" stroke="none"/>',
    "queue": '<path d="M2.5 4.5h15M2.5 10h6M2.5 15.5h6M12 8.6v6.6l5-3.3z"/>',
    "refresh": '<path d="M16.8 3.6v4h-4M16.4 7.6A6.8 6.8 0 0 0 4 7.4M3.2 16.4v-4h4'
    'M3.6 12.4A6.8 6.8 0 0 0 16 12.6"/>',
    "search": '<circle cx="8.8" cy="8.8" r="5.6"/><path d="m13 13 4 4"/>',
    "seed": '<path d="M2.5 5.5H5c1.5 0 2.5.7 3.3 1.8l3.6 5.4c.8 1.1 1.8 1.8 3.3 1.8h2.3'
    "M2.5 14.5H5c1.3 0 2.3-.6 3-1.5M12 7c.8-1 1.8-1.5 3.1-1.5h2.4"
    'M15.3 3.2l2.3 2.3-2.3 2.3M15.3 12.2l2.3 2.3-2.3 2.3"/>',
    "send": '<path d="M3.5 10H15M10.5 5.5 15 10l-4.5 4.5M17.5 4.5v11"/>',
    "sound": '<path d="M3 7.6v4.8h3l4 3.4V4.2L6 7.6zM12.8 7.4a3.6 3.6 0 0 1 0 5.2M15.2 5a7 7 0 0 1 0 10"/>',
    "sun": '<circle cx="10" cy="10" r="3.2"/><path d="M10 2v1.4M10 16.6V18M2 10h1.4M16.6 10H18'
    'M4.34 4.34l1 1M14.66 14.66l1 1M4.34 15.66l1-1M14.66 5.34l1-1"/>',
    "trash": '<path d="M3.5 5.5h13M8 5.5V3.5h4v2M5 5.5l.7 11h8.6l.7-11M8.4 8.8v4.6M11.6 8.8v4.6"/>',
    "up": '<path d="m5.5 12 4.5-4.5 4.5 4.5"/>',
    "wave": '<path d="M3 8.5v3M6.5 5.5v9M10 3v14M13.5 6.5v7M17 8.8v2.4"/>',
    "warn": '<path d="M10 3.2 2.6 16.2h14.8zM10 8.4v3.4M10 13.9v.1"/>',
}


def icon(name: str, size: int = 18, label: str = "") -> str:
    """Inline SVG of `size` CSS pixels; hidden from screen readers unless it has a label."""
    named = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return (
        f'<svg class="ws-icon" {named} width="{size}" height="{size}" viewBox="0 0 20 20" fill="none"'
        ' stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">'
        f"{SHAPES[name]}</svg>"
    )


def logo(size: int = 22) -> str:
    """The logo: viewfinder corners around a dot in the accent colour."""
    return (
        f'<svg class="ws-logo" aria-hidden="true" width="{size}" height="{size}" viewBox="0 0 22 22"'
        ' fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round">'
        '<path d="M1.5 6.5V4A2.5 2.5 0 0 1 4 1.5h2.5M15.5 1.5H18A2.5 2.5 0 0 1 20.5 4v2.5'
        'M20.5 15.5V18a2.5 2.5 0 0 1-2.5 2.5h-2.5M6.5 20.5H4A2.5 2.5 0 0 1 1.5 18v-2.5"/>'
        '<circle cx="11" cy="11" r="4" fill="var(--accent-line)" stroke="none"/></svg>'
    )
