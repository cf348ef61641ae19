# A small nvm for builds: chooses among the Node versions that Preamp made available before the build began.
nvm() {
  local __action="${1:-}" __wish="" __word __bin
  [ "$#" -gt 0 ] && shift
  for __word in "$@"; do
    case "$__word" in
      --lts|--lts=*) __wish="lts/*" ;;
      -*) ;;
      *) [ -n "$__wish" ] || __wish="$__word" ;;
    esac
  done
  case "$__action" in
    install|i|use|exec|run|which|version)
      if [ -z "$__wish" ]; then
        if [ -f .nvmrc ]; then
          __wish="$(tr -d '[:space:]' < .nvmrc)"
          [ "$__action" = version ] || echo "Found '$PWD/.nvmrc' with version <$__wish>"
        elif [ "$__action" = version ]; then
          node --version; return
        else
          echo "nvm: name a version, or add a .nvmrc file" >&2; return 127
        fi
      fi
      if [ "$__action" = version ] && [ "$__wish" = current ]; then node --version; return; fi
      __bin="$(__preamp_nvm_find "$__wish")" || {
        echo "N/A: version \"$__wish\" is not available in this build. Versions are fetched before it starts, for" \
          "each plain \`nvm install VERSION\` in the build spec and for .nvmrc" >&2
        return 3
      }
      case "$__action" in
        which) echo "$__bin/node" ;;
        version) "$__bin/node" --version ;;
        exec|run)
          [ "$1" = "$__wish" ] && shift
          if [ "$__action" = run ]; then "$__bin/node" "$@"; else PATH="$__bin:$PATH" "$@"; fi ;;
        *)
          PATH="$(__preamp_nvm_path "$__bin")"
          export PATH NVM_BIN="$__bin"
          hash -r
          echo "Now using node $(node --version) (npm v$(npm --version))" ;;
      esac ;;
    current) node --version ;;
    ls|list)
      for __bin in "${PREAMP_NODES:-/nonexistent}"/v*/bin; do
        [ -x "$__bin/node" ] && basename "$(dirname "$__bin")"
      done
      [ -n "${PREAMP_SYSTEM_NODE:-}" ] && echo "system ($("$PREAMP_SYSTEM_NODE/node" --version))"
      return 0 ;;
    --version|-v) echo "0.40.0" ;;
    alias|unalias|cache|uninstall|deactivate|unload|ls-remote) return 0 ;;
    *) echo "nvm: \`$__action\` is not supported in builds" >&2; return 1 ;;
  esac
}

__preamp_nvm_find() {
  local __want="${1#v}" __bin __found="" __version
  case "$__want" in
    node|stable|latest|current|default|'lts/*') __want="" ;;
    lts/argon) __want=4 ;; lts/boron) __want=6 ;; lts/carbon) __want=8 ;; lts/dubnium) __want=10 ;;
    lts/erbium) __want=12 ;; lts/fermium) __want=14 ;; lts/gallium) __want=16 ;; lts/hydrogen) __want=18 ;;
    lts/iron) __want=20 ;; lts/jod) __want=22 ;; lts/krypton) __want=24 ;;
  esac
  __want="${__want%.x}"
  for __bin in $(ls -d "${PREAMP_NODES:-/nonexistent}"/v*/bin 2>/dev/null | sort -V) "${PREAMP_SYSTEM_NODE:-}"; do
    [ -x "$__bin/node" ] || continue
    if [ "$__bin" = "${PREAMP_SYSTEM_NODE:-}" ]; then
      __version="$("$__bin/node" --version)"; __version="${__version#v}"
    else
      __version="$(basename "$(dirname "$__bin")")"; __version="${__version#v}"
    fi
    case "$1:$__version." in system:*) [ "$__bin" = "${PREAMP_SYSTEM_NODE:-}" ] && __found="$__bin"; continue ;; esac
    case "$__version." in "$__want".*) __found="$__bin" ;; *) [ -z "$__want" ] && __found="$__bin" ;; esac
  done
  [ -n "$__found" ] && echo "$__found"
}

__preamp_nvm_path() {
  local __part __rest="" __shims="$HOME/.preamp/bin" IFS=:
  for __part in $PATH; do
    case "$__part" in
      "$__shims"|"${PREAMP_NODES:-/nonexistent}"/v*/bin) ;;
      *) __rest="$__rest:$__part" ;;
    esac
  done
  echo "$__shims:$1$__rest"
}
