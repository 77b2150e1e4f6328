# Merges Cobertura reports: a line counts as covered if any test project reached it. Prints lines and percentages by project, and by
# the areas given as -v areas="name=folder[,folder];..." and fails where one is below -v least=N percent.
# Usage: awk -v root=/path/ -v areas=... -v least=90 -f coverage.awk report.xml ...

FNR == 1 { source = "" }

/<source>/ {
  source = $0
  gsub(/.*<source>|<\/source>.*/, "", source)
}

/<class / {
  file = attribute("filename")
  if (file !~ /^\//) { file = source (source ~ /\/$/ ? "" : "/") file }
  if (index(file, root) == 1) { file = substr(file, length(root) + 1) }
  counted = file !~ /^(StandIns|Tests|artifacts)\// && file !~ /^\// && file !~ /\/obj\//
}

/<line / && counted {
  key = file SUBSEP attribute("number")
  if (!(key in hits)) { hits[key] = 0; of[key] = file }
  if (attribute("hits") + 0 > 0) { hits[key] = 1 }
}

function attribute(name,   text) {
  text = $0
  if (!match(text, " " name "=\"[^\"]*\"")) { return "" }
  return substr(text, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
}

function project(file,   parts, count) {
  count = split(file, parts, "/")
  return parts[1] == "Services" || parts[1] == "Clients" ? parts[1] "/" parts[2] : parts[1]
}

function percent(covered, all) { return all == 0 ? 0 : 100 * covered / all }

END {
  for (key in hits) {
    name = project(of[key])
    all[name]++; reached[name] += hits[key]
    byFile[of[key]]++; reachedInFile[of[key]] += hits[key]
  }
  for (name in all) {
    printf "%6.1f%%  %6d of %6d lines  %s\n", percent(reached[name], all[name]), reached[name], all[name], name | "sort -k6"
  }
  close("sort -k6")
  status = 0
  count = split(areas, list, ";")
  for (index_ = 1; index_ <= count; index_++) {
    split(list[index_], pair, "=")
    folders = split(pair[2], folder, ",")
    lines = 0; covered = 0
    for (file in byFile) {
      for (number = 1; number <= folders; number++) {
        if (index(file, folder[number]) == 1) { lines += byFile[file]; covered += reachedInFile[file] }
      }
    }
    # None is a mistake: of the folders, or of where the tests were built.
    low = lines == 0 || percent(covered, lines) < least
    printf "%6.1f%%  %s%s\n", percent(covered, lines), pair[1], low ? " (at least " least "% is asked for)" : ""
    if (low) {
      status = 1
      for (file in byFile) {
        for (number = 1; number <= folders; number++) {
          if (index(file, folder[number]) == 1 && reachedInFile[file] < byFile[file]) {
            printf "    %4d lines not reached  %s\n", byFile[file] - reachedInFile[file], file | "sort -rn -k1"
          }
        }
      }
      close("sort -rn -k1")
    }
  }
  exit status
}
