using System.Text;
using Microsoft.Win32.SafeHandles;
using Spectre.Console;

namespace AspireStreaming.Cli;

/// <summary>What a command has to do with its process: streams, terminal, environment, clock.</summary>
internal sealed class CliHost : IDisposable
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    public CliHost(Stream input, Stream output, TextWriter error)
    {
        Input = input;
        Output = output;
        Out = new StreamWriter(output, Utf8, leaveOpen: true) { AutoFlush = true };
        Error = error;
    }

    public Stream Input { get; }

    /// <summary>Standard output as bytes; <see cref="Out"/> writes to the same.</summary>
    public Stream Output { get; }

    public TextWriter Out { get; }

    public TextWriter Error { get; }

    public bool OutputIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    /// <summary>Columns of the terminal.</summary>
    public int Width { get; init; } = 120;

    public Func<string, string?> Variable { get; init; } = static _ => null;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>https://no-color.org: set and not empty means no colours, terminal or not.</summary>
    public bool NoColor => !string.IsNullOrEmpty(Variable("NO_COLOR")) || Variable("TERM") == "dumb";

    public static CliHost ForProcess() => new(Console.OpenStandardInput(), OpenOutput(), Console.Error)
    {
        OutputIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        Width = TerminalWidth(),
        Variable = Environment.GetEnvironmentVariable,
    };

    public void WriteError(string message) => Error.WriteLine(Paint(ErrorIsTerminal, "31", "error:") + " " + message);

    public void WriteNote(string message) => Error.WriteLine(Paint(ErrorIsTerminal, "33", message));

    /// <summary>Wraps a text in a colour (SGR parameters) if the device shows colours.</summary>
    public string Paint(bool terminal, string colour, string text) => terminal && !NoColor ? $"\e[{colour}m{text}\e[0m" : text;

    public IAnsiConsole CreateConsole(TextWriter writer, bool terminal)
    {
        var ansi = terminal && Variable("TERM") != "dumb";
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = ansi ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = ansi && !NoColor ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = ansi ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });

        // Spectre would fold a pipe's lines at 80 columns.
        console.Profile.Width = terminal ? Width : 400;
        console.Profile.Capabilities.Unicode = true;
        return console;
    }

    public void Dispose()
    {
        try
        {
            Out.Dispose();
        }
        catch (IOException)
        {
            // Whoever read our output has left.
        }
    }

    private static Stream OpenOutput()
    {
        if (OperatingSystem.IsWindows() || !Console.IsOutputRedirected)
        {
            return Console.OpenStandardOutput();
        }

        // The console's stream swallows "broken pipe", and a tail piped into head would go on for ever. A FileStream reports it, but
        // writes files at offsets of its own, which would fight with others that append to the same file; so only for pipes.
        var stream = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return stream.CanSeek ? Console.OpenStandardOutput() : stream;
    }

    private static int TerminalWidth()
    {
        try
        {
            // Some terminals do not know their size and say 0.
            return !(Console.IsOutputRedirected && Console.IsErrorRedirected) && Console.WindowWidth is > 0 and var width
                ? Math.Clamp(width, 40, 400)
                : 120;
        }
        catch (IOException)
        {
            return 120;
        }
    }
}
