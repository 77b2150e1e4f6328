namespace Aspire.Hosting.ApplicationModel;

internal static class ResourceNames
{
    private const int MaxLength = 64;

    public static void Validate(string name, string kind)
    {
        ArgumentNullException.ThrowIfNull(name);
        var problem = name switch
        {
            "" or { Length: > MaxLength } => $"must be between 1 and {MaxLength} characters long",
            _ when !char.IsAsciiLetter(name[0]) => "must start with an ASCII letter",
            _ when name.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '-') => "must contain only ASCII letters, digits and hyphens",
            _ when name[^1] == '-' => "cannot end with a hyphen",
            _ when name.Contains("--", StringComparison.Ordinal) => "cannot contain consecutive hyphens",
            _ => null,
        };
        if (problem is not null)
        {
            throw new ArgumentException($"{kind} name '{name}' is invalid. Name {problem}.", nameof(name));
        }
    }

    /// <summary>The form in which a name is part of an environment variable.</summary>
    public static string ToVariableName(string name)
    {
        var encoded = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return encoded.Length > 0 && char.IsAsciiDigit(encoded[0]) ? "_" + encoded : encoded;
    }
}
