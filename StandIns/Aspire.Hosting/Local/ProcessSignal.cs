namespace Aspire.Hosting.Local;

/// <summary>The signals that the host sends, with the numbers that Linux and macOS share.</summary>
internal enum ProcessSignal
{
    Int = 2,
    Quit = 3,
    Kill = 9,
    Term = 15,
}
