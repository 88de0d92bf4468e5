//! The phrases of refusals, by class: written as patterns of `pattern.rs`, over words as `words.rs` normalises them
//! (lower case; `can't` is `cant`; `real-time` is two words). All texts here are part of [`HASH`].
//!
//! When you change them, use only the errors in the development half of `tests/data/refusals.tsv`. Then write the
//! new figures and the new hash into `docs/refusals.md`; `tests/it/refusals.rs` fails otherwise.

use super::pattern::Classes;

/// To be raised when the code finds other refusals with the same phrases.
const READING: &str = "1";

pub(super) const HASH: u32 = hash();

/// FNV-1a, 32 bits.
const fn hash() -> u32 {
    const fn add(mut hash: u32, text: &str) -> u32 {
        let mut rest = text.as_bytes();
        while let [byte, tail @ ..] = rest {
            hash = (hash ^ *byte as u32).wrapping_mul(0x0100_0193);
            rest = tail;
        }
        // Separates two texts, so that ("ab", "c") and ("a", "bc") differ. No text has this byte.
        (hash ^ 0xff).wrapping_mul(0x0100_0193)
    }
    let mut hash = add(0x811c_9dc5, READING);
    let mut rest = CLASSES;
    while let [(name, phrases), tail @ ..] = rest {
        hash = add(add(hash, name), phrases);
        rest = tail;
    }
    hash
}

pub(super) const CLASSES: Classes = &[
    ("CLAUSE_END", ".|,|but|so|and|however|therefore|which"),
    // What may come before a refusal without changing it.
    (
        "OPENING",
        "POLITE STOP?|PREAMBLE ... STOP|AS_AI ...|EN_VOZ .. STOP|作为 .. STOP|作為 .. STOP|你好 STOP?|\
         您好 STOP?",
    ),
    ("STOP", ".|,|:"),
    (
        "POLITE",
        "but|however|and|so|then|therefore|thus|still|well|hmm|ah|oh|hi|hi there|hello|hey|no|nope|\
         okay|ok|assistant|sorry|so sorry|sorry about that|my apologies|apologies|please forgive me|\
         with respect|i SO* apologi-|IM SO* sorry|IM afraid that?|i regret that?|i regret to say that?|\
         unfortunately|regrettably|sadly|that said|i must say|i must clarify that?|\
         i must point out that?|this means that?|tut mir SEHR* leid|es tut mir SEHR* leid|leider|\
         entschuldigung|entschuldige|entschuldigen sie|verzeihung|aber|je suis SI* désolé|\
         je suis SI* désolée|désolé|désolée|malheureusement|je regrette|mais|excusez moi|\
         lo siento mucho?|lo lamento|lamentablemente|desafortunadamente|me temo que|disculpa|disculpe|\
         perdón|pero|desculpe|desculpa|sinto muito|lamento|infelizmente|mas|mi dispiace|purtroppo|\
         spiacente|scusa|ma|VERY? 抱歉|VERY? 遗憾|VERY? 遺憾|对不起|對不起|不好意思|但|但是|不过",
    ),
    ("SO", "so|very|really|truly|terribly|deeply|do|sincerely|must"),
    ("SEHR", "sehr|wirklich|aufrichtig"),
    ("SI", "vraiment|sincèrement|profondément"),
    ("VERY", "很|非常|十分|真的很"),
    (
        "PREAMBLE",
        "thank you for|thanks for|i REALLY? appreciate|i REALLY? understand|i hear|i see|i get that|\
         i know|i REALLY? wish|id REALLY? love to|id REALLY? like to|IM SO* sorry|sorry|IM concerned|\
         i want to|for REASON reasons|due to|because|since|given|in line with|as per|per our|\
         according to|in accordance with|i have to|i need to|i aim to|i strive to|i try to|IM here to|\
         IM programmed to|IM designed to|i was designed to|i can only|i only|i noticed|it sounds like|\
         it seems|it looks like|it is illegal|it is important to|youre asking|your request|the request|\
         this request|es tut mir leid|ich verstehe|je comprends|entiendo|comprendo|entendo|capisco|我理解",
    ),
    ("REALLY", "really|completely|fully|do|would|truly"),
    ("REASON", "safety|legal|privacy|security|ethical|copyright|policy"),
    ("AS_AI", "as A AI_KIND|being A AI_KIND|BECAUSE? IM JUST? A? JUST? AI_KIND"),
    ("BECAUSE", "since|because"),
    ("A", "a|an|your"),
    ("JUST", "just|only|simply|merely"),
    (
        "AI_KIND",
        "ai|artificial intelligence|AI_TRAIT* ai|AI_TRAIT* language model|AI_TRAIT* chatbot|\
         AI_TRAIT* ai? assistant",
    ),
    ("AI_TRAIT", "large|responsible|helpful|harmless|text based|virtual|based"),
    // Who is unable.
    ("IM", "im|i am"),
    ("DONT", "dont|do not"),
    ("CANT", "cannot|cant|can not"),
    (
        "CANNOT",
        "CANT|will not|wont|wouldnt|CANT and will not|refuse to|MUST? refuse to|MUST? HOW? decline to|\
         DONT feel comfortable",
    ),
    ("UNABLE", "unable to|not ABLE to|not capable of|not comfortable|going to decline to"),
    ("ABLE", "able|going|allowed|permitted|authori-|willing|in a position|programmed|designed|here"),
    (
        "HOW",
        "really|just|also|simply|currently|directly|actually|therefore|personally|still|legally|\
         ethically|knowingly|respectfully|unfortunately|in good conscience|in good faith|be|be able to|\
         either|ever|help you|support or|condone or|provide or|to",
    ),
    // What the model is asked to do.
    (
        "DO",
        "help- !HELPLESS|assist-|comply-|fulfil-|answer- !PHONE|respond-|provid- !PLENTY|giv- !GIVING|\
         offer- !PLENTY|shar- !SHARING|suppl-|writ- !PLENTY|creat-|generat-|produc-|compos-|draft-|\
         engag-|participat-|tak- part|tak- sides|discuss-|talk about|support- !ANYMORE|encourag-|\
         endors-|condon-|promot-|facilitat-|continu-|proceed|reproduc-|recommend RECOMMENDED|\
         tell you TOLD|explain-|describ-|show you how|teach-|advis-|guid-|walk you|reveal-|disclos-|\
         identify|impersonat-|pretend-|act as|roleplay-|role play-|translat-|complet-|do DONE|\
         carry out|process- ASKED|perform-|grant-|look up|open ONLINE|visit ONLINE|send|schedul-|\
         set REMINDERS|play audio|watch|mak- MADE|express|prescrib-|form|rank-|be part of|\
         go into detail about|explore|entertain|accommodate|honor|honour|bypass|transcrib-",
    ),
    ("HELPLESS", "but|it|noticing|feeling|thinking|wondering|smiling|myself|themselves|wanting"),
    ("PHONE", "the phone|the door|in time|sooner|until|without seeing|without more|for|with certainty"),
    ("PLENTY", "... enough|ADVICE ANSWERED|a better|a single|an exact|a precise|a definitive"),
    ("GIVING", "PLENTY|up|you up|... any more|you PLENTY|in|it|them|away|her|him|justice|you justice"),
    ("SHARING", "PLENTY|your|the enthusiasm|his|her"),
    ("ANYMORE", "that claim|this claim|the weight|more than"),
    ("RECOMMENDED", "a way|any|specific|a dose|a specific|ways|restaurants|products|how"),
    ("TOLD", "how to|which|what !RELIEF|where|whom|who|the|about|anything|that|to"),
    ("RELIEF", "a|an|this means|it means"),
    ("DONE", "that !BETTER|this !BETTER|it !BETTER|so|anything like"),
    ("BETTER", "justice|alone|without|better|in|again|any|enough|on|yet|until"),
    ("ASKED", "this|that|your|pdf|payments|audio|images|requests"),
    ("ONLINE", "links|urls|websites|web|external|attachments"),
    ("REMINDERS", "reminders|alarms|timers|up meetings"),
    (
        "MADE",
        "phone|calls|purchases|transactions|bookings|reservations|jokes|moral|judgements|judgments|\
         decisions for|a bomb|content",
    ),
    // Means that the model lacks. Not a refusal if an answer follows.
    (
        "REACH",
        "access-|brows-|predict-|run|execut-|diagnos-|give YOU? ADVICE|provide YOU? ADVICE|\
         offer YOU? ADVICE|remember|search|retrieve|view|hear|have REACHED",
    ),
    ("YOU", "you|any|specific|personal|personalized|professional"),
    ("ADVICE", "KIND* advice|a diagnosis|a medical diagnosis|recommendations"),
    ("KIND", "medical|legal|financial|professional|personalized|personalised|tax|investment|specific|or|and"),
    (
        "REACHED",
        "access|direct access|THE_MEANS|PERSONAL? opinions|personal beliefs|real time access|\
         real time information|real time data",
    ),
    ("PERSONAL", "personal"),
    ("THE_MEANS", "the ability|the capabilit-|the means|the capacity|the tools"),
    ("ANSWERED", "... BUT !OFFER|. in general|. generally"),
    ("BUT", "but|though|however|in general|generally"),
    (
        "OFFER",
        "i can|i could|i would|id|im happy|im glad|ill|lets|let me|please|you can|you could|if you|\
         happy|here|a",
    ),
    // The refusals, which follow an OPENING.
    (
        "REFUSAL",
        "PLAIN_REFUSAL|SHORT_CANNOT HOW* SHORT_DO|i HOW* CANNOT HOW* REACH !ANSWERED|\
         IM HOW* UNABLE HOW* REACH !ANSWERED|i DONT HOW* have REACHED !ANSWERED|AS_AI ... AI_CANNOT|\
         CONCEDE PLAIN_REFUSAL|DECLINE|IMPERSONAL|ICH|JE|YO|EU|IO|WO|JA",
    ),
    ("AI_CANNOT", "CANNOT HOW* DO|UNABLE HOW* DO|DONT have REACHED to DO|DONT PROMOTE"),
    // Refusals that are clear in any clause, not only after an OPENING.
    ("PLAIN_REFUSAL", "i HOW* CANNOT HOW* DO|IM HOW* UNABLE HOW* DO|i CANT .|i wont .|i will not ."),
    ("PROMOTE", "condone|promote|endorse|engage in|support|encourage"),
    ("SHORT_CANNOT", "CANT|unable to|not able to|not going to|wont|will not"),
    ("SHORT_DO", "help- WITH|assist-|comply-|fulfil-|answer THAT|provide THAT|do THAT ."),
    ("WITH", "with|you with|."),
    ("THAT", "that|this"),
    ("CONCEDE", "while|although|though|even though|as much as"),
    (
        "DECLINE",
        "i HOW* MUST decline !INVITED|i HOW* decline .|IM going to SHALL* decline|\
         IM going to SHALL* pass|ill pass|id rather not|i would rather not|id prefer not to|\
         i would prefer not to|i prefer not to|IM HOW* not comfortable|IM not SO? willing|\
         i DONT feel comfortable|i DONT feel right|i DONT think i should|i DONT think i can|\
         i DONT HOW* provide GUIDANCE|i DONT HOW* engage in|i DONT write EXPLOITS|not doing that|\
         IM choosing not to|IM going to stop here|we CANT HOW* help with THAT|\
         we CANT HOW* assist with THAT|i have to draw|i refuse .",
    ),
    ("MUST", "must|have to|need to|will|will have to|am going to|respectfully"),
    ("SHALL", "have to|respectfully|HOW"),
    ("INVITED", "... invitation|... offer|the job|to attend"),
    ("GUIDANCE", "guidance|instructions|help|assistance|information|advice|content|that|support"),
    ("EXPLOITS", "exploit-|malware|explicit|sexual|hate"),
    (
        "IMPERSONAL",
        "THING FORBIDDEN|THING_NOT something MINE|falls outside WHAT|... isnt something IM willing|\
         ... isnt something i can help|OUR GUIDES DISALLOW me|OUR .. GUIDES DISALLOW me|\
         IM programmed to .. GUIDES STOP? which DISALLOW me|it would HOW* be BAD FOR? me to|\
         it wouldnt be right FOR? me to|it IS BAD FOR? me to|it IS not RIGHT FOR? me to|\
         it isnt RIGHT FOR? me to|it IS NEVER GOOD to SPREAD|THAT_MODEL MODEL_CANNOT ANSWER|\
         lets not go there|i think its best if we change|its best if we change|lets change the subject|\
         lets talk about something else .",
    ),
    (
        "FORBIDDEN",
        "not something MINE|something i CANNOT HOW* DO|something i CANT .|beyond my SCOPE|\
         falls outside WHAT|outside of? WHAT|against OUR GUIDES|... GOES against OUR .. GUIDES|\
         ... VIOLATES OUR .. GUIDES|... was BLOCKED",
    ),
    ("MINE", "i can|i will|i do|i feel|i would|IM|id be"),
    ("SCOPE", "scope|current scope|capabilities|current capabilities|abilities|reach|remit"),
    ("VIOLATES", "violates|would violate"),
    ("MODEL_CANNOT", "CANT|is unable to|is not able to"),
    ("THING", "that is|thats|this is|THAT|OUR ASK|THAT ASK|it|it is|its|doing so"),
    ("ASK", "content|request|prompt|message|question"),
    ("THING_NOT", "this isnt|that isnt|it isnt"),
    ("WHAT", "what i|what IM|the scope of what i|the scope of what IM|my SCOPE|the scope of my"),
    ("OUR", "my|our|your|the|openais|usage"),
    ("GOES", "goes|go|would go|is"),
    ("GUIDES", "guidelines|guideline|policy|policies|programming|principles|values|training|rules"),
    ("DISALLOW", "DONT PERMIT|doesnt PERMIT|does not PERMIT|prohibit-|prevent-|forbid"),
    ("PERMIT", "allow|permit"),
    ("BAD", "unethical|inappropriate|irresponsible|wrong|illegal|harmful"),
    ("RIGHT", "appropriate|ethical|possible|right"),
    ("NEVER", "not|never"),
    ("GOOD", "appropriate|ethical|ethical or legal|acceptable|responsible"),
    ("SPREAD", "discuss|promote|encourage|provide|share|harm|intentionally harm"),
    ("FOR", "for|of"),
    ("IS", "is|would be"),
    ("THAT_MODEL", "the model|this model|the assistant|this assistant"),
    ("ANSWER", "answer|respond|provide|assist|help|discuss"),
    ("BLOCKED", "blocked|flagged|filtered|rejected"),
    // German: the verb comes last.
    (
        "ICH",
        "ich KANN ICH_NICHT|KANN ich ICH_NICHT|dabei KANN ich ICH_NICHT|das KANN ich ICH_NICHT|\
         als KI .. KANN ich ICH_NICHT|ich bin nicht in der lage|ich muss .. ablehnen|\
         ich habe keinen zugriff",
    ),
    ("ICH_NICHT", ".. NICHT .. HELFEN"),
    ("KI", "ki|künstliche|sprachmodell|ein ki|eine ki"),
    ("KANN", "kann|darf|werde|möchte"),
    ("NICHT", "nicht !GENUG|kein|keine|keinen|keinerlei"),
    ("GENUG", "genug|oft genug|anders|nur"),
    (
        "HELFEN",
        "helfen|weiterhelfen|unterstützen|behilflich|beantworten|erfüllen|bereitstellen|geben|äußern|\
         schreiben|erstellen|generieren|ausführen|teilen|nachkommen|zugreifen|anbieten|durchsuchen|\
         liefern|verfassen|erteilen|tun",
    ),
    // French, Spanish, Portuguese, Italian.
    ("EN_VOZ", "en tant VOZ|como VOZ|come VOZ|in quanto VOZ"),
    (
        "VOZ",
        "qu-|modelo|modèle|ia|una ia|uma ia|inteligencia|una inteligencia|modello|assistente|asistente|\
         un modello|un modelo|um modelo|intelligenza|que-|assistant",
    ),
    (
        "JE",
        "je ne PEUX HELAS? pas HELAS? VOUS? AIDER|je ne suis pas PAS_EN|\
         il mest impossible de VOUS? AIDER|je nai pas ACCES|je refuse AIDER|je refuse de|\
         je dois refuser|je ne PEUX ni",
    ),
    ("PEUX", "peux|pourrai|peut|saurais|puis"),
    ("HELAS", "malheureusement|donc|directement"),
    ("ACCES", "accès|la possibilité|la capacité|le droit"),
    ("VOUS", "vous|te|le|les|y|de|d"),
    ("PAS_EN", "en mesure|capable|autorisé|autorisée|programmé|habilité"),
    (
        "AIDER",
        "aider|taider|laider|répondre|fournir|exprimer|lexprimer|partager|donner|créer|générer|écrire|\
         décrire|rédiger|satisfaire|accéder|effectuer|continuer|proposer|participer|traiter|divulguer|\
         discuter|faire cela",
    ),
    (
        "YO",
        "no puedo AYUDAR|no PODER no?|no estoy PERMITIDO|no me es posible AYUDAR|no tengo ACCESO|\
         me niego a|debo rechazar|debo declinar",
    ),
    ("PODER", "podré AYUDAR|podría AYUDAR"),
    ("PERMITIDO", "autorizad-|capacitad-|programad-|en condiciones|diseñad-"),
    ("ACCESO", "acceso a|la capacidad|permitido"),
    // Stems of verbs of helping, giving, making and answering, in these languages.
    (
        "AYUDAR",
        "TE? ayud-|TE? ajud-|aiut-|proporcion-|cumpl-|cumpr-|gener-|gerar|crea-|criar|expres-|esprim-|respond-|\
         rispond-|compart-|condivid-|ofrec-|oferec-|offr-|dar-|escrib-|escrev-|scriv-|acced-|aced-|acess-|\
         hacer eso|hacerlo|fazer isso|particip-|partecip-|continu-|proced-|realiz-|asist-|assist-|discut-|complet-|\
         facilit-|brind-|proces-|fornec-|fornir-|atend-|auxili-|soddisf-|esegu-|elabor-",
    ),
    ("TE", "te|o|a|lo|la|os"),
    (
        "EU",
        "não POSSO AYUDAR|não sou capaz de AYUDAR|não estou autorizad-|não tenho ACESSO|\
         preciso recusar|não me é possível AYUDAR",
    ),
    ("POSSO", "posso|consigo|vou|poderei"),
    ("ACESSO", "acesso a|acesso à|a capacidade|permissão"),
    (
        "IO",
        "non posso AYUDAR|non sono in grado di AYUDAR|non sono autorizzat-|\
         non mi è possibile AYUDAR|non ho accesso|devo rifiutare",
    ),
    // Chinese, simplified and traditional.
    ("WO", "我 NOW* UNABLE_ZH BANG|... 我 NOW* UNABLE_ZH 回答|我不便"),
    ("NOW", "现在|暂时|目前|还|也|現在|暫時|還"),
    ("UNABLE_ZH", "无法|無法|不能|不会|不會|没有办法|没办法|沒有辦法"),
    ("BANG", "TO_YOU* OFFERED"),
    ("TO_YOU", "向|为|為|给|給|您|你|直接|继续"),
    (
        "OFFERED",
        "帮|协助|提供|回答|满足|发表|完成|生成|创|编写|撰写|处理|讨论|支持|执行|访问|参与|继续|给出|分享|透露|幫|協助|滿足|發表|創|討論|處理|繼續",
    ),
    // Japanese: the inability comes last.
    ("JA", "JA_OPENING ... YARU ... DEKIMASEN"),
    ("JA_OPENING", "SUMIMASEN|SONO|a i として|ai として"),
    ("SUMIMASEN", "申し訳ありません|申し訳ございません|すみません|ごめんなさい|恐れ入ります|残念"),
    ("SONO", "その|そのような|この|そうした"),
    ("YARU", "手伝|答え|応え|応じ|対応|提供|伝え|力に|支援|述べ|作成|生成|協力"),
    ("DEKIMASEN", "できません|できかね|いたしかね|しかねま|致しかね"),
];
