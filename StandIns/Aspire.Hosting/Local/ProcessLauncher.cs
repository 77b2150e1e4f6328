using System.Diagnostics;
using System.Globalization;

namespace Aspire.Hosting.Local;

/// <summary>
/// Builds the command that starts a program in a session of its own, watched by a guardian:
/// <list type="number">
/// <item>The host starts <c>setsid sh</c>, whose standard input is a pipe that only the host holds the other end of.</item>
/// <item>The shell starts the guardian (a second shell, in yet another session, detached by a double fork so that the
/// program gets no child that it doesn't know), which reads from that pipe.</item>
/// <item>The shell closes the pipe for itself and becomes, by <c>exec</c>, the program: same process id, exit code for the host.</item>
/// <item>When the guardian reads <see cref="Released"/>, the host has cleaned up and it goes. When it reads the end of the
/// pipe, the host is dead, however it died, and the guardian ends the program's whole group.</item>
/// </list>
/// There is no moment at which the program runs unguarded: the guardian holds the pipe before the program exists. A
/// parent-death signal would be weaker: it reaches the child only, and fires when the *thread* that started it ends.
/// </summary>
internal static class ProcessLauncher
{
    public const string Released = "released\n";

    private const string Shell = "/bin/sh";

    private const string CarriedVariablePrefix = "ASPIRE_CARRIED_";

    private const string NewSessionByPerl = "use POSIX; POSIX::setsid(); exec { $ARGV[0] } @ARGV or exit 127;";

    // $1 signal, $2 whom to signal, $3 the program's process group
    private const string GuardianScript =
        """
        cd /
        read -r word
        [ "$word" = released ] && exit 0
        kill -s "$1" -- "$2"
        kill -s CONT -- "-$3"
        n=0
        while [ $n -lt 20 ] && kill -s 0 -- "-$3"; do sleep 0.1; n=$((n + 1)); done
        kill -s KILL -- "-$3"
        """;

    // $1 guardian's script, $2 stop signal, $3 group or program, $4 number of carried variables, then the command
    private const string LaunchScript =
        $$"""
        exec 3<&0 </dev/null
        target=$$; [ "$3" = group ] && target=-$$
        guard() {
          if command -v setsid >/dev/null; then
            exec env -i PATH=/usr/local/bin:/usr/bin:/bin setsid sh -c "$@"
          fi
          exec env -i PATH=/usr/local/bin:/usr/bin:/bin perl -e '{{NewSessionByPerl}}' sh -c "$@"
        }
        ( PATH=/usr/local/bin:/usr/bin:/bin guard "$1" aspire-guardian "$2" "$target" "$$" <&3 3<&- >/dev/null 2>&1 & )
        exec 3<&-
        carried=$4
        shift 4
        while [ "$carried" -gt 0 ]; do
          carried=$((carried - 1))
          eval "set -- \"\${{CarriedVariablePrefix}}$carried\" \"\$@\"; unset {{CarriedVariablePrefix}}$carried"
        done
        exec /usr/bin/env -u _ -u SHLVL -u PWD -u OLDPWD "$@"
        """;

    // The shell sets or swallows these itself.
    private static readonly HashSet<string> ShellVariables = new(StringComparer.Ordinal)
    {
        "_", "PWD", "OLDPWD", "SHLVL", "IFS", "OPTIND", "OPTARG", "OPTERR", "PPID", "LINENO", "PS1", "PS2", "PS4", "ENV", "MAIL", "MAILPATH",
        "MAILCHECK", "UID", "EUID", "GROUPS", "RANDOM", "SECONDS", "SHELLOPTS", "BASHOPTS", "BASH_ENV", "POSIXLY_CORRECT", "HISTFILE",
        "carried", "target",
    };

    public static ProcessStartInfo CreateStartInfo(ProcessSpec spec)
    {
        var program = FindProgram(spec);
        var carried = spec.Environment.Where(variable => !IsSafeInShell(variable.Key)).ToArray();
        var start = new ProcessStartInfo
        {
            WorkingDirectory = spec.WorkingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        var arguments = NewSession();
        start.FileName = arguments[0];
        arguments.RemoveAt(0);
        arguments.AddRange([Shell, "-c", LaunchScript, "aspire-launch", GuardianScript, SignalName(spec.StopSignal)]);
        arguments.Add(spec.StopsWholeGroup ? "group" : "program");
        arguments.Add(carried.Length.ToString(CultureInfo.InvariantCulture));
        if (SystemUser.ForProcess(spec.RunAsUser) is { } user)
        {
            arguments.AddRange(user.CommandPrefix());
        }
        else if (program.Contains('='))
        {
            // env would take it for a variable.
            arguments.AddRange(["nice", "-n", "0"]);
        }

        arguments.Add(program);
        arguments.AddRange(spec.Arguments);
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        foreach (var (name, value) in spec.Environment)
        {
            start.Environment[name] = value;
        }

        for (var i = 0; i < carried.Length; i++)
        {
            start.Environment.Remove(carried[i].Key);
            start.Environment[$"{CarriedVariablePrefix}{i}"] = $"{carried[i].Key}={carried[i].Value}";
        }

        return start;
    }

    /// <summary>A command that runs the rest of its arguments in a new session, in the same process.</summary>
    public static List<string> NewSession()
    {
        if (LocalBinaries.TryFind("setsid") is { } setsid)
        {
            return [setsid];
        }

        var perl = LocalBinaries.TryFind("perl")
            ?? throw new DistributedApplicationException(
                "Starting local processes needs 'setsid' (package util-linux) or 'perl'; neither was found.");
        return [perl, "-e", NewSessionByPerl];
    }

    /// <summary>
    /// Some shells drop variables whose names they could not have set (<c>services__my-api__http__0</c>), others change a few of
    /// their own. Those travel under another name and are put back by the last <c>env</c>.
    /// </summary>
    private static bool IsSafeInShell(string name) =>
        name.Length > 0
        && !char.IsAsciiDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
        && !ShellVariables.Contains(name)
        && !name.StartsWith(CarriedVariablePrefix, StringComparison.Ordinal);

    private static string FindProgram(ProcessSpec spec)
    {
        if (!Directory.Exists(spec.WorkingDirectory))
        {
            throw new DistributedApplicationException(
                $"Cannot start '{spec.FileName}': the working directory {spec.WorkingDirectory} does not exist.");
        }

        if (!spec.FileName.Contains('/'))
        {
            return LocalBinaries.Find(spec.FileName, spec.Environment.GetValueOrDefault("PATH"))
                ?? throw new DistributedApplicationException(LocalBinaries.MissingText(spec.FileName));
        }

        var file = Path.GetFullPath(spec.FileName, Path.GetFullPath(spec.WorkingDirectory));
        return LocalBinaries.IsExecutable(file)
            ? file
            : throw new DistributedApplicationException($"Cannot start {file}: it does not exist or is not executable.");
    }

    private static string SignalName(ProcessSignal signal) => signal switch
    {
        ProcessSignal.Int => "INT",
        ProcessSignal.Quit => "QUIT",
        ProcessSignal.Kill => "KILL",
        _ => "TERM",
    };
}
