//! What followers read, in every language: data, and the few rules of grammar that data needs.
//!
//! Promises nothing that the shop decides: no discount, no total, no delivery. Names come in between the two halves
//! of an [`Around`], so that each language may put them where it likes.

use super::language::Language;

/// A sentence with one place for a name: what stands before and after it.
#[derive(Debug, Clone, Copy)]
pub struct Around(pub &'static str, pub &'static str);

/// All texts of one language.
#[derive(Debug)]
pub struct Words {
    // The cart.
    pub cart_ready: &'static str,
    /// Around the creator's name.
    pub picked_by: Around,
    /// Around one code.
    pub code: Around,
    /// Around several codes.
    pub codes: Around,
    /// Between the members of a list.
    pub comma: &'static str,
    pub quantity: &'static str,
    /// After the price of one piece.
    pub each: &'static str,
    pub sold_out: &'static str,
    /// Around the title of what is replaced.
    pub instead_of: Around,
    pub to_checkout: &'static str,
    /// Around the store's name.
    pub pay_at: Around,
    // What happened since the page was shown.
    pub stock_changed: &'static str,
    pub page_expired: &'static str,
    pub nothing_chosen: &'static str,
    // The waiting list.
    pub sold_out_for_now: &'static str,
    /// Around the store's name.
    pub leave_email: Around,
    pub email: &'static str,
    /// Around the store's name: what is agreed to.
    pub consent: Around,
    pub tell_me: &'static str,
    pub bad_email: &'static str,
    pub no_consent: &'static str,
    pub on_the_list: &'static str,
    /// Around the store's name.
    pub will_email: Around,
    // The way on.
    pub all_sold_out: &'static str,
    /// Around the store's name.
    pub visit: Around,
}

impl Language {
    /// The texts of this language.
    pub const fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::Spanish => &SPANISH,
            Self::French => &FRENCH,
            Self::Arabic => &ARABIC,
        }
    }

    /// "3 items": the number where the language writes one, and the noun's form for `count` (CLDR plural rules).
    pub const fn items(self, count: usize) -> (Option<usize>, &'static str) {
        match (self, count) {
            (Self::English, 1) => (Some(1), "item"),
            (Self::English, _) => (Some(count), "items"),
            (Self::German, _) => (Some(count), "Artikel"),
            (Self::Spanish, 1) => (Some(1), "artículo"),
            (Self::Spanish, _) => (Some(count), "artículos"),
            (Self::French, 0 | 1) => (Some(count), "article"),
            (Self::French, _) => (Some(count), "articles"),
            (Self::Arabic, 1) => (None, "منتج واحد"),
            (Self::Arabic, 2) => (None, "منتجان"),
            (Self::Arabic, _) => match count % 100 {
                3..=10 => (Some(count), "منتجات"),
                11..=99 => (Some(count), "منتجًا"),
                _ => (Some(count), "منتج"),
            },
        }
    }
}

const ENGLISH: Words = Words {
    cart_ready: "Your cart is ready",
    picked_by: Around("Picked by ", ""),
    code: Around("", " is applied at checkout"),
    codes: Around("", " are applied at checkout"),
    comma: ", ",
    quantity: "Quantity",
    each: "each",
    sold_out: "Sold out",
    instead_of: Around("Instead of ", ", which is sold out"),
    to_checkout: "Continue to checkout",
    pay_at: Around("You pay at ", ", where shipping and taxes are shown."),
    stock_changed: "The stock has just changed. Please check your cart, then continue.",
    page_expired: "This page was open for a while. Please check your cart, then continue.",
    nothing_chosen: "Your cart is empty. Please choose at least one item.",
    sold_out_for_now: "Sold out for now",
    leave_email: Around("Leave your e-mail address, and ", " will tell you when it is back."),
    email: "E-mail address",
    consent: Around(
        "Yes, ",
        " may send me one e-mail when this is back in stock. I can change my mind at any time.",
    ),
    tell_me: "Tell me when it is back",
    bad_email: "This does not look like an e-mail address. Please check it.",
    no_consent: "Please tick the box, so that we may write to you.",
    on_the_list: "You are on the list",
    will_email: Around("You will get one e-mail from ", " as soon as it is back."),
    all_sold_out: "Everything in this cart has found a home. There is more in the shop.",
    visit: Around("Visit ", ""),
};

const GERMAN: Words = Words {
    cart_ready: "Dein Warenkorb ist bereit",
    picked_by: Around("Ausgesucht von ", ""),
    code: Around("", " wird an der Kasse eingelöst"),
    codes: Around("", " werden an der Kasse eingelöst"),
    comma: ", ",
    quantity: "Menge",
    each: "pro Stück",
    sold_out: "Ausverkauft",
    instead_of: Around("Statt ", " (ausverkauft)"),
    to_checkout: "Weiter zur Kasse",
    pay_at: Around("Du bezahlst bei ", ". Versand und Steuern siehst du dort."),
    stock_changed: "Der Bestand hat sich gerade geändert. Bitte prüfe den Warenkorb und mach dann weiter.",
    page_expired: "Diese Seite war eine Weile offen. Bitte prüfe den Warenkorb und mach dann weiter.",
    nothing_chosen: "Dein Warenkorb ist leer. Bitte wähle mindestens einen Artikel.",
    sold_out_for_now: "Zurzeit ausverkauft",
    leave_email: Around(
        "Hinterlass deine E-Mail-Adresse, und ",
        " sagt dir, wenn wieder etwas da ist.",
    ),
    email: "E-Mail-Adresse",
    consent: Around(
        "Ja, ",
        " darf mir eine einzige E-Mail schicken, wenn das wieder da ist. Das kann ich jederzeit widerrufen.",
    ),
    tell_me: "Sag mir Bescheid",
    bad_email: "Das sieht nicht nach einer E-Mail-Adresse aus. Bitte prüfe sie.",
    no_consent: "Bitte setze das Häkchen, damit wir dir schreiben dürfen.",
    on_the_list: "Du stehst auf der Liste",
    will_email: Around("Du bekommst eine einzige E-Mail von ", ", sobald wieder etwas da ist."),
    all_sold_out: "Alles aus diesem Warenkorb ist vergriffen. Im Shop gibt es mehr.",
    visit: Around("Zum Shop von ", ""),
};

const SPANISH: Words = Words {
    cart_ready: "Tu carrito está listo",
    picked_by: Around("Elegido por ", ""),
    code: Around("", " se aplica al pagar"),
    codes: Around("", " se aplican al pagar"),
    comma: ", ",
    quantity: "Cantidad",
    each: "por unidad",
    sold_out: "Agotado",
    instead_of: Around("En lugar de ", " (agotado)"),
    to_checkout: "Continuar al pago",
    pay_at: Around("Pagas en ", ", donde verás el envío y los impuestos."),
    stock_changed: "Las existencias acaban de cambiar. Revisa tu carrito y continúa.",
    page_expired: "Esta página llevaba un rato abierta. Revisa tu carrito y continúa.",
    nothing_chosen: "Tu carrito está vacío. Elige al menos un artículo.",
    sold_out_for_now: "Agotado por ahora",
    leave_email: Around(
        "Deja tu correo electrónico y ",
        " te avisará cuando vuelva a estar disponible.",
    ),
    email: "Correo electrónico",
    consent: Around(
        "Sí, ",
        " puede enviarme un único correo cuando vuelva a estar disponible. Puedo retirar mi permiso en cualquier momento.",
    ),
    tell_me: "Avísame cuando vuelva",
    bad_email: "Esto no parece un correo electrónico. Revísalo, por favor.",
    no_consent: "Marca la casilla para que podamos escribirte.",
    on_the_list: "Estás en la lista",
    will_email: Around("Recibirás un único correo de ", " en cuanto vuelva a estar disponible."),
    all_sold_out: "Todo lo de este carrito se ha agotado. En la tienda hay más.",
    visit: Around("Visitar ", ""),
};

const FRENCH: Words = Words {
    cart_ready: "Votre panier est prêt",
    picked_by: Around("Choisi par ", ""),
    code: Around("", " est appliqué au moment du paiement"),
    codes: Around("", " sont appliqués au moment du paiement"),
    comma: ", ",
    quantity: "Quantité",
    each: "l’unité",
    sold_out: "Épuisé",
    instead_of: Around("À la place de ", " (épuisé)"),
    to_checkout: "Passer au paiement",
    pay_at: Around(
        "Vous payez chez ",
        ", où s’affichent les frais de livraison et les taxes.",
    ),
    stock_changed: "Le stock vient de changer. Vérifiez votre panier, puis continuez.",
    page_expired: "Cette page était ouverte depuis un moment. Vérifiez votre panier, puis continuez.",
    nothing_chosen: "Votre panier est vide. Choisissez au moins un article.",
    sold_out_for_now: "Épuisé pour le moment",
    leave_email: Around("Laissez votre adresse e-mail, et ", " vous préviendra dès son retour."),
    email: "Adresse e-mail",
    consent: Around(
        "Oui, ",
        " peut m’envoyer un seul e-mail dès le retour en stock. Je peux changer d’avis à tout moment.",
    ),
    tell_me: "Prévenez-moi",
    bad_email: "Ceci ne ressemble pas à une adresse e-mail. Veuillez la vérifier.",
    no_consent: "Veuillez cocher la case pour que nous puissions vous écrire.",
    on_the_list: "Vous êtes sur la liste",
    will_email: Around(
        "Vous recevrez un seul e-mail de la part de ",
        " dès le retour en stock.",
    ),
    all_sold_out: "Tout ce panier est épuisé. La boutique a d’autres trésors.",
    visit: Around("Visiter ", ""),
};

// Nouns instead of verbs where Arabic would have to choose between addressing a man and a woman.
const ARABIC: Words = Words {
    cart_ready: "سلة التسوق جاهزة",
    picked_by: Around("من اختيار ", ""),
    code: Around("يُطبَّق الرمز ", " عند الدفع"),
    codes: Around("تُطبَّق الرموز ", " عند الدفع"),
    comma: "، ",
    quantity: "الكمية",
    each: "للقطعة",
    sold_out: "نفدت الكمية",
    instead_of: Around("بديل عن ", " (نفدت الكمية)"),
    to_checkout: "المتابعة إلى الدفع",
    pay_at: Around("يتم الدفع لدى ", "، وهناك تظهر تكلفة الشحن والضرائب."),
    stock_changed: "تغيّر المخزون للتو. يرجى مراجعة السلة ثم المتابعة.",
    page_expired: "بقيت هذه الصفحة مفتوحة لفترة. يرجى مراجعة السلة ثم المتابعة.",
    nothing_chosen: "السلة فارغة. يرجى اختيار منتج واحد على الأقل.",
    sold_out_for_now: "نفدت الكمية حاليًا",
    leave_email: Around(
        "يرجى ترك عنوان البريد الإلكتروني ليصل إشعار من ",
        " عند توفّر الكمية من جديد.",
    ),
    email: "البريد الإلكتروني",
    consent: Around(
        "نعم، أوافق على تلقي رسالة واحدة بالبريد الإلكتروني من ",
        " عند توفّر الكمية من جديد. يمكنني سحب موافقتي في أي وقت.",
    ),
    tell_me: "أبلغوني عند التوفّر",
    bad_email: "لا يبدو هذا عنوان بريد إلكتروني صحيحًا. يرجى التحقق منه.",
    no_consent: "يرجى وضع علامة في المربع لنتمكن من إرسال الرسالة.",
    on_the_list: "تم التسجيل في القائمة",
    will_email: Around("ستصل رسالة واحدة بالبريد الإلكتروني من ", " فور توفّر الكمية من جديد."),
    all_sold_out: "نفدت كل منتجات هذه السلة. في المتجر المزيد.",
    visit: Around("زيارة ", ""),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_noun() {
        for (language, count, expected) in [
            (Language::English, 1, "1 item"),
            (Language::English, 0, "0 items"),
            (Language::English, 3, "3 items"),
            (Language::German, 1, "1 Artikel"),
            (Language::Spanish, 1, "1 artículo"),
            (Language::Spanish, 2, "2 artículos"),
            (Language::French, 0, "0 article"),
            (Language::French, 2, "2 articles"),
            (Language::Arabic, 1, "منتج واحد"),
            (Language::Arabic, 2, "منتجان"),
            (Language::Arabic, 3, "3 منتجات"),
            (Language::Arabic, 10, "10 منتجات"),
            (Language::Arabic, 11, "11 منتجًا"),
            (Language::Arabic, 99, "99 منتجًا"),
            (Language::Arabic, 100, "100 منتج"),
            (Language::Arabic, 103, "103 منتجات"),
        ] {
            let actual = match language.items(count) {
                (Some(number), noun) => format!("{number} {noun}"),
                (None, noun) => noun.to_owned(),
            };
            assert_eq!(actual, expected);
        }
    }

    /// Every text of a language; a field that is forgotten here is told by the `let`.
    fn all(words: &Words) -> Vec<String> {
        let &Words {
            cart_ready,
            picked_by,
            code,
            codes,
            comma,
            quantity,
            each,
            sold_out,
            instead_of,
            to_checkout,
            pay_at,
            stock_changed,
            page_expired,
            nothing_chosen,
            sold_out_for_now,
            leave_email,
            email,
            consent,
            tell_me,
            bad_email,
            no_consent,
            on_the_list,
            will_email,
            all_sold_out,
            visit,
        } = words;
        let around = [
            picked_by,
            code,
            codes,
            instead_of,
            pay_at,
            leave_email,
            consent,
            will_email,
            visit,
        ];
        let plain = [
            cart_ready,
            comma,
            quantity,
            each,
            sold_out,
            to_checkout,
            stock_changed,
            page_expired,
            nothing_chosen,
            sold_out_for_now,
            email,
            tell_me,
            bad_email,
            no_consent,
            on_the_list,
            all_sold_out,
        ];
        let around = around.map(|Around(before, after)| format!("{before}{after}"));
        around.into_iter().chain(plain.map(str::to_owned)).collect()
    }

    #[test]
    fn no_text_is_missing_or_left_untranslated() {
        let english = all(Language::English.words());
        for language in Language::ALL {
            let texts = all(language.words());
            for (place, text) in texts.iter().enumerate() {
                assert!(text.trim().len() > 1 || text == ", ", "{language:?} {place}");
                assert!(!text.contains(['<', '>', '&', '"']), "{text}");
                assert!(
                    language == Language::English || *text != english[place] || text == ", ",
                    "{language:?} {text}"
                );
            }
        }
    }

    #[test]
    fn arabic_is_written_in_its_own_letters() {
        for text in all(Language::Arabic.words()) {
            assert!(!text.contains(|letter: char| letter.is_ascii_alphabetic()), "{text}");
        }
    }
}
