namespace Aspire.Hosting.Local;

/// <summary>Writes the lines of all resources to the console, each behind the name of its resource in a colour of its own.</summary>
internal sealed class ConsoleLogWriter
{
    private const string Reset = "\e[0m";
    private const string Red = "\e[31m";
    private const int MaxNameWidth = 32;

    private static readonly string[] Colours =
        ["\e[36m", "\e[32m", "\e[35m", "\e[33m", "\e[34m", "\e[96m", "\e[92m", "\e[95m", "\e[93m", "\e[94m"];

    private readonly Lock _lock = new();
    private readonly Dictionary<string, string> _colourOf = new(StringComparer.Ordinal);
    private readonly TextWriter _output;
    private readonly bool _colours;
    private int _nameWidth;

    public ConsoleLogWriter()
        : this(Console.Out, UseColours(Environment.GetEnvironmentVariable, Console.IsOutputRedirected))
    {
    }

    internal ConsoleLogWriter(TextWriter output, bool colours)
    {
        _output = output;
        _colours = colours;
    }

    /// <summary>Names known beforehand, so that the first lines are aligned and colours follow this order.</summary>
    public void Align(IEnumerable<string> resourceNames)
    {
        lock (_lock)
        {
            foreach (var name in resourceNames)
            {
                AddLocked(name);
            }
        }
    }

    public void Write(string resourceName, string line, bool isError)
    {
        var text = TerminalText.Clean(line, keepColours: _colours);
        lock (_lock)
        {
            AddLocked(resourceName);
            var name = resourceName.PadRight(_nameWidth);
            var end = text.Contains('\e', StringComparison.Ordinal) ? Reset : "";
            try
            {
                var bar = isError ? $"{Red}|{Reset}" : "|";
                _output.WriteLine(_colours ? $"{_colourOf[resourceName]}{name}{Reset} {bar} {text}{end}" : $"{name} | {text}");
            }
            catch (IOException)
            {
                // The terminal is gone; the resources go on until somebody stops them.
            }
        }
    }

    internal static bool UseColours(Func<string, string?> variable, bool isRedirected) =>
        string.IsNullOrEmpty(variable("NO_COLOR"))
        && (!isRedirected || IsOn(variable("FORCE_COLOR")) || IsOn(variable("DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION")));

    private static bool IsOn(string? value) =>
        !string.IsNullOrEmpty(value) && value != "0" && !value.Equals("false", StringComparison.OrdinalIgnoreCase);

    private void AddLocked(string name)
    {
        if (_colourOf.TryAdd(name, Colours[_colourOf.Count % Colours.Length]))
        {
            _nameWidth = Math.Max(_nameWidth, Math.Min(name.Length, MaxNameWidth));
        }
    }
}
