using System.Text.RegularExpressions;

namespace Aspire.Hosting.Dashboard;

/// <summary>Takes secrets out of what the page shows; they never leave the host, so nothing on the page can uncover them.</summary>
internal static partial class SecretMask
{
    public const string Mask = "••••••••";

    private const string SecretPart = @"((?:password|passwd|pwd|secret|token|api[-_ ]?key|account[-_ ]?key|access[-_ ]?key)\s*=\s*)";

    private static readonly string[] SecretNames = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "KEY", "TOKEN", "CREDENTIAL", "OTLP_HEADERS"];

    /// <summary>The value of an environment variable as the page may show it.</summary>
    public static string? Value(string name, string? value) =>
        string.IsNullOrEmpty(value) ? value
        : SecretNames.Any(secret => name.Contains(secret, StringComparison.OrdinalIgnoreCase)) ? Mask
        : Text(value);

    /// <summary>A text without the passwords of connection strings and URIs in it.</summary>
    public static string Text(string text)
    {
        // Where ';' separates, a password may contain anything else; elsewhere it ends where the next name begins.
        text = text.Contains(';', StringComparison.Ordinal)
            ? SecretBeforeSemicolon().Replace(text, $"$1{Mask}")
            : SecretBeforeNextName().Replace(text, $"$1{Mask}");
        return UriPassword().Replace(text, $"$1{Mask}@");
    }

    [GeneratedRegex(SecretPart + "(?:\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'|[^;]*)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex SecretBeforeSemicolon();

    [GeneratedRegex(SecretPart + @".*?(?=[,&]\s*[A-Za-z][\w .-]*=|$)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex SecretBeforeNextName();

    [GeneratedRegex(@"(://[^\s/:@]*:)[^\s/]*@", RegexOptions.CultureInvariant)]
    private static partial Regex UriPassword();
}
